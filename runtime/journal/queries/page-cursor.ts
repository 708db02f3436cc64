import { stateCodes } from '../../../lib/job-state.ts'
import { invalidOption } from '../../../lib/options.ts'

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

/** Throws `MILLRACE_INVALID_OPTION` for what no page of these states has given out. */
export function parseCursor(text: string, states: readonly number[]): Cursor {
  const cursor = cursorOf(text)
  if (cursor === undefined) throw invalidOption('after', text, 'the `next` of the page before')
  if (states.includes(cursor.state)) return cursor
  throw invalidOption('after', text, 'the `next` of a page with the same states; leave it out for the first page')
}

function cursorOf(text: string): Cursor | undefined {
  try {
    const { state, position } = JSON.parse(text) as Cursor
    const isPosition = position.length === partsOf(state) && position.every((part) => Number.isSafeInteger(part))
    return isPosition ? { state, position } : undefined
  } catch {
    return undefined
  }
}
