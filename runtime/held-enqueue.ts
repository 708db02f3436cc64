import { invalidOption } from '../lib/options.ts'
import type { AnyTask, EnqueueOptions } from '../lib/task.ts'
import type { Job } from './publish/job-handle.ts'
import type { Wires } from './wires.ts'

/** What `runtime.enqueue` takes besides. */
export type AckOptions = EnqueueOptions & {
  /** Who has the job when `enqueue` resolves: the journal of this node (default), or a broker. */
  readonly ack?: 'journal' | 'broker'
}

/**
 * Enqueues a job, and waits for whoever shall have it. With the journal it is in any case, and goes on from there.
 * @internal
 */
export async function enqueueAcked(
  wires: Wires,
  task: AnyTask,
  input: unknown,
  { ack, ...options }: AckOptions,
): Promise<Job> {
  const { across, publisher, desk } = wires
  if (ack !== 'journal' && ack !== 'broker') throw invalidOption('ack', ack, "'journal' or 'broker'")
  if (ack === 'broker' && (across === undefined || task.local === true)) {
    throw invalidOption('ack', ack, "'journal', since the job goes to no broker")
  }
  const job = await publisher.enqueue(task, input, options as EnqueueOptions)
  // The first one may be with the broker since long: who wants to know asks its record.
  if (ack === 'journal' || across === undefined || job.duplicate) return job
  await across.handOvers.wait(desk.numberOf(job.id))
  return job
}
