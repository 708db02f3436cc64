import { stateCodes } from '../../lib/job-state.ts'
import { invalidOption } from '../../lib/options.ts'

/** Where a page left off: a state, and the last row's place in that state's order. */
export interface Cursor {
  readonly state: number
  readonly position: readonly number[]
}

export function formatCursor(cursor: Cursor): string {
  return JSON.stringify(cursor)
}

/** By how many numbers a row has its place in the order of its state (`page.ts` says which). */
function partsOf(state: number): number {
  if (state === stateCodes.running) return 1
  return state === stateCodes.available ? 3 : 2
}

/** Throws `MILLRACE_INVALID_OPTION` for what no page has given out. */
export function parseCursor(text: string): Cursor {
  try {
    const { state, position } = JSON.parse(text) as Cursor
    if (position.length === partsOf(state) && position.every((part) => Number.isSafeInteger(part))) {
      return { state, position }
    }
  } catch {
    // Said below.
  }
  throw invalidOption('after', text, 'the `next` of the page before')
}
