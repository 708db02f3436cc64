import { celebrityReached } from './celebrity.ts'
import type { Scene } from './course.ts'
import { type Recovered, unfinished } from './report.ts'
import type { ServiceProcess } from './service-process.ts'

export interface ServiceKill extends Recovered {
  readonly type: 'service'
  /** From the kill until the service listened again. */
  readonly downMs: number
}

/** Kills the service and starts it again, and tells what was under way. */
export async function killAndRestart(
  service: ServiceProcess,
  { plan, folder, progress, signal }: Scene,
): Promise<ServiceKill> {
  const before = (await service.stats(signal)) ?? []
  const killedAt = performance.now()
  await service.end('SIGKILL')
  progress.tell(
    `kill -9: ${unfinished(before)} jobs are unfinished, the celebrity has reached ${celebrityReached(plan, folder)} followers`,
    'bad',
  )
  // Nobody would stop a service that is started after everything else has ended.
  signal.throwIfAborted()
  const recovered = await service.start()
  const downMs = performance.now() - killedAt
  progress.tell(
    `started again in ${downMs.toFixed(0)} ms: ${recovered.jobs} unfinished jobs in the journal, ${recovered.begun} had begun`,
    'good',
  )
  return { type: 'service', ...recovered, downMs }
}
