import type { ErrorRecord } from '../../../lib/error-record.ts'
import type { JobRecord } from '../../../lib/job.ts'

/** A line of the output. `refused`: the input is no job of this task, and nothing was enqueued. */
export type LineState = JobRecord['state'] | 'refused'

const FIRST = '{"line":'
const START = /^\{"line":([1-9]\d{0,15}),"state":"([a-z]+)"[,}]/

export function succeededLine(line: number, result: unknown): string {
  return JSON.stringify({ line, state: 'succeeded', result: result ?? null })
}

/** The line of a job that has ended without success. */
export function endedLine(line: number, { state, attempts, history }: JobRecord): string {
  const last = history.at(-1)
  return JSON.stringify({
    line,
    state,
    ...(last?.error !== undefined && { error: shortError(last.error) }),
    ...(last?.reason !== undefined && { reason: last.reason }),
    attempts,
  })
}

export function refusedLine(line: number, error: ErrorRecord): string {
  return JSON.stringify({ line, state: 'refused', error: shortError(error), attempts: 0 })
}

function shortError({ code, name, message }: ErrorRecord) {
  return { ...(code !== undefined && { code }), name, message }
}

/** Whether a text without an end can be what a kill has left of a line, or zeros, as a power cut may leave instead of it. */
export function mayBeTorn(text: string): boolean {
  return text.startsWith(FIRST) || FIRST.startsWith(text) || /^\0+$/.test(text)
}

/** What a line of an earlier run says, without parsing its result; `undefined` for a line that is none of ours. */
export function readLine(text: string): { readonly line: number; readonly state: LineState } | undefined {
  const match = START.exec(text)
  if (match === null || !text.endsWith('}')) return undefined
  return { line: Number(match[1]), state: match[2] as LineState }
}
