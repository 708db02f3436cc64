import { setTimeout as sleep } from 'node:timers/promises'
import { celebrityReached } from './celebrity.ts'
import type { Scene } from './course.ts'
import { type Note, readDiary, underWay } from './diary.ts'
import type { Fleet } from './fleet.ts'
import { begunAgain } from './runs.ts'
import { paths } from './settings.ts'
import { shownMs } from './table.ts'
import { deliver } from './tasks.ts'

export interface WorkerKill {
  readonly type: 'worker'
  /** Epoch ms, of the signal, and of when the process was seen to be gone. */
  readonly killedAt: number
  readonly diedAt: number
  /** What ran there. */
  readonly running: readonly Note[]
  /** From the kill until it listened again. */
  readonly downMs: number
}

const LOOK_EVERY_MS = 20
const DEAD_AT_MOST_MS = 5_000
const BUSY_WITHIN_MS = 3_000

/**
 * Kills the worker that writes the feeds. It stays dead until the other one has begun what it can of the jobs that ran
 * there, or for a while where much waits before them; then it is started again, since the feeds have no other writer.
 */
export async function killWorker({ first, second }: Fleet, scene: Scene): Promise<WorkerKill> {
  const { plan, folder, progress, signal } = scene
  await inTheMiddle(scene)
  const killedAt = Date.now()
  await first.end('SIGKILL')
  const diedAt = Date.now()
  const running = underWay(readDiary(paths.diary(folder, 'worker-1')))
  const reached = celebrityReached(plan, folder)
  progress.tell(
    `kill -9 of worker-1: ${running.length} jobs ran there, the celebrity has reached ${reached} followers`,
    'bad',
  )
  const others = running.filter(({ task }) => task !== deliver.name)
  const begun = await takenOver(others, diedAt, scene)
  progress.tell(`${second.name} has begun ${begun} of them; the feeds wait for their only writer`, 'good')
  // Nobody would stop a process that is started after everything else has ended.
  signal.throwIfAborted()
  await first.start()
  const downMs = Date.now() - killedAt
  progress.tell(`worker-1 is there again after ${shownMs(downMs)}`, 'good')
  return { type: 'worker', running, killedAt, diedAt, downMs }
}

/** Resolves when a delivery is under way and something else too, so that the kill has something to hit; or after a while. */
async function inTheMiddle({ folder, signal }: Scene): Promise<void> {
  const deadline = performance.now() + BUSY_WITHIN_MS
  while (performance.now() < deadline) {
    const tasks = underWay(readDiary(paths.diary(folder, 'worker-1'))).map(({ task }) => task)
    if (tasks.includes(deliver.name) && tasks.some((task) => task !== deliver.name)) return
    await sleep(1, undefined, { signal })
  }
}

/** Resolves to how many of the jobs have begun again: when all have, or after a while. */
async function takenOver(jobs: readonly Note[], diedAt: number, { folder, signal }: Scene): Promise<number> {
  const deadline = performance.now() + DEAD_AT_MOST_MS
  for (;;) {
    const begun = begunAgain(jobs, diedAt, folder).length
    if (begun === jobs.length || performance.now() > deadline) return begun
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }
}
