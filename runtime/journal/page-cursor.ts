import { invalidOption } from '../../lib/options.ts'

/** Where a page left off: a state, and the last row's place in that state's order. */
export interface Cursor {
  readonly state: number
  readonly position: readonly number[]
}

export function formatCursor(cursor: Cursor): string {
  return JSON.stringify(cursor)
}

/** Throws `MILLRACE_INVALID_OPTION` for what no page has given out. */
export function parseCursor(text: string): Cursor {
  try {
    const { state, position } = JSON.parse(text) as Cursor
    if (Number.isInteger(state) && position.length <= 2 && position.every((part) => Number.isFinite(part))) {
      return { state, position }
    }
  } catch {
    // Said below.
  }
  throw invalidOption('after', text, 'the `next` of the page before')
}
