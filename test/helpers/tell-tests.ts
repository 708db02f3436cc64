import { writeSync } from 'node:fs'
import type { TestEvent } from 'node:test/reporters'

/** What a test process tells whoever has started it, a line each, about what its name pattern lets run. */
export type ToldTest =
  | { readonly type: 'began'; readonly name: string }
  | { readonly type: 'passed'; readonly name: string; readonly tookMs: number }
  | { readonly type: 'failed'; readonly name: string; readonly how: string }

/** The descriptor for it, which is a pipe. */
export const TOLD_FD = 3

interface Failure {
  readonly failureType?: string
  readonly cause?: unknown
}

/** A reporter of Node's test runner. It writes at once: a process that is killed has told what it had begun. */
export default async function* tellTests(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const told = toldOf(event)
    if (told === undefined) continue
    const line = `${JSON.stringify(told)}\n`
    writeSync(TOLD_FD, line)
    yield line
  }
}

function toldOf(event: TestEvent): ToldTest | undefined {
  if (event.type === 'test:dequeue') return { type: 'began', name: event.data.name }
  if (event.type !== 'test:complete') return undefined
  const { name, details, skip } = event.data
  if (skip !== undefined || details.passed) return { type: 'passed', name, tookMs: details.duration_ms }
  return { type: 'failed', name, how: howOf(details.error) }
}

/** The kind of failure, then what was thrown. */
function howOf({ failureType = '', cause }: Failure = {}): string {
  return cause instanceof Error ? `${failureType}, ${cause.name}: ${cause.message}` : `${failureType}, ${String(cause)}`
}
