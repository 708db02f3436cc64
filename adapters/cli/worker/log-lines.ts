import { systemClock } from '../../../lib/clock.ts'
import type { RuntimeEvent } from '../../../lib/events.ts'
import type { Runtime } from '../../../runtime/index.ts'
import { instant } from '../text.ts'

/** What somebody who runs a worker wants to know. Jobs that go well say nothing. */
const TOLD = [
  'job.dead',
  'job.tried',
  'job.stray',
  'job.unsettled',
  'task.paused',
  'task.suspended',
  'task.resumed',
  'place.paused',
  'place.resumed',
  'place.stopped',
  'place.zombies',
  'trial.postponed',
  'thread.stuck',
  'thread.hung',
  'thread.died',
  'journal.degraded',
  'journal.healthy',
  'journal.overgrown',
  'journal.down',
  'broker.up',
  'broker.down',
  'broker.blocked',
  'broker.unblocked',
  'queue.down',
  'queue.up',
  'message.kept',
  'message.malformed',
  'outcome.dropped',
  'node.status',
  'node.refused',
  'node.drain',
  'runtime.recovered',
  'runtime.error',
  'runtime.unfit',
  'runtime.failed',
  'runtime.stopping',
  'runtime.stopped',
] as const satisfies readonly RuntimeEvent[]

/** Writes a line for each event that is told. */
export function logEvents(runtime: Runtime, write: (line: string) => void): void {
  for (const name of TOLD) runtime.on(name, (event: object) => write(logLine(name, event)))
}

/** `2026-01-01 10:00:00.000 job.dead id=… task=… error="…"`: what is no text, number or error is left out. */
export function logLine(name: string, event: object, now = systemClock.now()): string {
  const fields = Object.entries(event).flatMap(([field, value]: [string, unknown]) => {
    const text = textOf(value)
    return text === undefined ? [] : [`${field}=${text}`]
  })
  return [instant(now), name, ...fields].join(' ')
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(Math.round(value))
  if (typeof value === 'string') return plain(value)
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string') ? plain(value.join(',')) : undefined
  // An error, or the record of one.
  const { message } = (value ?? {}) as { message?: unknown }
  return typeof message === 'string' ? JSON.stringify(message.slice(0, 500)) : undefined
}

function plain(text: string): string {
  return /^[\w.:/,@-]+$/.test(text) ? text : JSON.stringify(text)
}
