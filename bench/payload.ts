const BYTES = 200

/** The input of a job that is stored as 200 bytes. */
export const INPUT: { readonly text: string } = { text: 'x'.repeat(BYTES - JSON.stringify({ text: '' }).length) }

/** What is stored of it. */
export const PAYLOAD: string = JSON.stringify(INPUT)

/** An input of 200 bytes that says when it was enqueued, in ms of the clock that all threads share. */
export function stampedInput(at: number): { readonly at: number; readonly text: string } {
  const head = JSON.stringify({ at, text: '' }).length
  return { at, text: 'x'.repeat(Math.max(0, BYTES - head)) }
}
