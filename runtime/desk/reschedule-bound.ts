import type { Reschedule, RescheduleOptions } from '../../lib/enqueue.ts'
import { invalidOption } from '../../lib/options.ts'
import type { StoredJob } from '../journal/store/record.ts'
import type { Wires } from '../wires.ts'

/** A job's bound is counted from its enqueue, and its commit may come so much later. */
const COMMIT_MS = 1_000

/**
 * Until when a job has to start that is put to another time: so long after that as its task says, or until the instant that
 * its own enqueue has named. Throws where that would be over before the new time: it could only expire.
 */
export async function boundAt(
  wires: Wires,
  number: number,
  options: RescheduleOptions,
  dueAt: number | undefined,
): Promise<Pick<Reschedule, 'expiresAt'>> {
  if (dueAt === undefined) return {}
  const row = await wires.journal.query((queries) => queries.record(number))
  if (row === undefined || row.expires_at === null || row.ended_at !== null) return {}
  const startsAt = Math.max(dueAt, wires.clock.now())
  const task = wires.metTasks.get(row.task) ?? wires.catalog.manifest(row.task)
  if (task?.useByMs !== undefined && isOfTask(row, row.expires_at, task.useByMs)) {
    return { expiresAt: startsAt + task.useByMs }
  }
  if (startsAt < row.expires_at) return {}
  const path = options.runAt === undefined ? 'delayMs' : 'runAt'
  throw invalidOption(
    path,
    options[path],
    `a time before ${row.expires_at}, when the job expires; put it earlier, or cancel() it and enqueue another one`,
  )
}

/** Of one that has been claimed, its due time may be that of a retry. */
function isOfTask(row: StoredJob, expiresAt: number, useByMs: number): boolean {
  const from = row.claim === 0 ? (row.due_at ?? row.created_at) : row.created_at
  return expiresAt + COMMIT_MS >= from + useByMs
}
