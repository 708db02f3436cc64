import type { Scene } from './course.ts'
import { FeedStore } from './feed-store.ts'
import { claimed, unfinished } from './progress.ts'
import type { Recovered } from './report.ts'
import { paths } from './settings.ts'

export interface Kill extends Recovered {
  /** From the kill until the service listened again. */
  readonly downMs: number
}

/** Kills the service and starts it again, and tells what was under way. */
export async function killAndRestart({ plan, folder, service, progress, signal }: Scene): Promise<Kill> {
  const before = (await service.stats(signal)) ?? []
  const killedAt = performance.now()
  await service.end('SIGKILL')
  const reached = reachedBy(plan.posts[0]?.photo ?? 0, plan.users, paths.feeds(folder))
  progress.tell(
    `kill -9: ${unfinished(before)} jobs are unfinished, ${claimed(before)} of them claimed; the celebrity's photo has ` +
      `reached ${reached.toLocaleString('en')} of ${plan.users.toLocaleString('en')} followers`,
  )
  // Nobody would stop a service that is started after everything else has ended.
  signal.throwIfAborted()
  const recovered = await service.start()
  const downMs = performance.now() - killedAt
  progress.tell(
    `started again in ${downMs.toFixed(0)} ms: ${recovered.jobs} unfinished jobs in the journal, ${recovered.begun} had begun`,
  )
  return { ...recovered, downMs }
}

/** How many of the celebrity's followers have her photo: they get it in the order of their ids, so halving finds it. */
function reachedBy(photo: number, users: number, file: string): number {
  const feeds = FeedStore.open(file)
  try {
    let reached = 0
    let missed = users
    while (reached < missed) {
      const user = Math.floor((reached + missed) / 2)
      if (feeds.list(user).includes(photo)) reached = user + 1
      else missed = user
    }
    return reached
  } finally {
    feeds.close()
  }
}
