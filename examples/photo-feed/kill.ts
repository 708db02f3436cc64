import { setTimeout as sleep } from 'node:timers/promises'
import type { Scene } from './course.ts'
import { FeedStore } from './feed-store.ts'
import { middleOf } from './plan.ts'
import { claimed, unfinished } from './progress.ts'
import { paths } from './settings.ts'

export interface Kill {
  /** Unfinished jobs that the journal held when the service listened again. */
  readonly recovered: number
  /** From the kill until then. */
  readonly downMs: number
}

const LOOK_EVERY_MS = 5

/** Kills the service while the celebrity's second photo is on its way to her followers, and starts it again. */
export async function killHalfway({ plan, folder, service, progress, signal }: Scene): Promise<Kill> {
  await firstDelivery(paths.feeds(folder), middleOf(plan).photo, signal)
  const before = (await service.stats(signal)) ?? []
  const killedAt = performance.now()
  await service.end('SIGKILL')
  progress.tell(`kill -9: ${unfinished(before)} jobs were unfinished, ${claimed(before)} of them claimed`)
  await service.start()
  const downMs = performance.now() - killedAt
  const recovered = unfinished((await service.stats(signal)) ?? [])
  progress.tell(`started again as process ${service.pid} in ${downMs.toFixed(0)} ms: ${recovered} jobs are still there`)
  return { recovered, downMs }
}

/** Resolves when the photo is on the list of the first user, who follows the celebrity as everybody does. */
async function firstDelivery(file: string, photo: number, signal: AbortSignal): Promise<void> {
  const feeds = FeedStore.open(file)
  try {
    while (!feeds.list(0).includes(photo)) await sleep(LOOK_EVERY_MS, undefined, { signal })
  } finally {
    feeds.close()
  }
}
