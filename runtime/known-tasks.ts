import { prepareJob } from '../lib/enqueue.ts'
import { inputVersionOf } from '../lib/job-extra.ts'
import { decodePayload } from '../lib/payload.ts'
import type { AnyTask } from '../lib/task.ts'
import { meet } from './across.ts'
import type { Wires } from './wires.ts'

/** Told of each task before a job of it is taken from a caller. */
export function meetTask(wires: Wires, task: AnyTask): void {
  if (wires.across !== undefined) meet(wires, wires.across, task)
  if (wires.metTasks.get(task.name) !== task) wires.metTasks.set(task.name, task)
}

/**
 * Checks another input for a job as its enqueue would, and names its limit keys anew. It does neither for a task of which
 * this process has only the name, nor for a job of another version, whose inputs are not what the task says now.
 */
export async function keysOfNewInput(wires: Wires, number: number, input: string): Promise<{ readonly part?: string }> {
  const row = await wires.journal.query((queries) => queries.record(number))
  if (row === undefined) return {}
  const task = wires.metTasks.get(row.task) ?? wires.handlers?.task(row.task)
  if (task === undefined || versionIn(row.overrides) !== (task.version ?? 1)) return {}
  // What was encoded, whatever its caller makes of the input meanwhile.
  const { extra } = await prepareJob(task, decodePayload(input), undefined, wires.clock)
  return extra?.part === undefined ? {} : { part: extra.part }
}

/** Nothing where the row was damaged: nobody can say what its input should be. */
function versionIn(overrides: string | null): number | undefined {
  try {
    return inputVersionOf(overrides ?? undefined)
  } catch {
    return undefined
  }
}
