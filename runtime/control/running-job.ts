import type { RunningJob } from '../../lib/places.ts'
import type { Running } from '../messages.ts'
import type { Wires } from '../wires.ts'

/** A running job as people see it. */
export function runningJob({ catalog, clock, desk }: Wires, { number, task, startedAt }: Running): RunningJob {
  return { id: desk.idOf(number), task: catalog.name(task), runningMs: Math.max(0, clock.monotonicMs() - startedAt) }
}
