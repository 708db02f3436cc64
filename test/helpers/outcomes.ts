import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export interface OutcomeLine {
  readonly line: number
  readonly state: string
  readonly result?: unknown
  readonly error?: { readonly code?: string; readonly name: string; readonly message: string }
  readonly attempts?: number
}

/** The lines of an output of `millrace run`, by their number. */
export function readOutcomes(path: string): OutcomeLine[] {
  return parseOutcomes(readFileSync(path, 'utf8'))
}

export function parseOutcomes(text: string): OutcomeLine[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line has an end')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as OutcomeLine)
    .sort((a, b) => a.line - b.line)
}

/** Fails unless there is exactly one outcome of each line from 1 on. */
export function assertEachOnce(outcomes: readonly OutcomeLine[], lines: number): void {
  assert.deepEqual(
    outcomes.map(({ line }) => line),
    Array.from({ length: lines }, (_, at) => at + 1),
  )
}
