import { setTimeout as sleep } from 'node:timers/promises'
import { type Posted, postAll } from './authors.ts'
import { type Kill, killAndRestart } from './kill.ts'
import type { Plan } from './plan.ts'
import { type Progress, unfinished } from './progress.ts'
import type { ServiceProcess } from './service-process.ts'

/** What everything that happens here has to do with. */
export interface Scene {
  readonly plan: Plan
  readonly folder: string
  readonly service: ServiceProcess
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** How it went. */
export interface Course {
  readonly posted: readonly Posted[]
  /** From the first request to the last answer. */
  readonly postingMs: number
  /** From the first request to the end of the last job. */
  readonly allMs: number
  readonly kill: Kill | undefined
}

const LOOK_EVERY_MS = 200

/** Posts everything, kills the service half-way, and resolves when every job has ended. */
export async function runCourse(
  scene: Scene,
  pictures: readonly Buffer[],
  wanted: 'half-way' | 'never',
): Promise<Course> {
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  // The first of the three that fails ends the others.
  const failure = new AbortController()
  const together = { ...scene, signal: AbortSignal.any([scene.signal, failure.signal]) }
  const posted: Posted[] = []
  let reachHalf = () => {}
  const half = new Promise<void>((resolve) => (reachHalf = resolve))
  const taken = (post: Posted) => {
    if (posted.push(post) === scene.plan.posts.length / 2) reachHalf()
  }
  try {
    const [postingMs, kill] = await Promise.all([
      postAll(together, pictures, taken).then(elapsedMs),
      wanted === 'half-way' ? half.then(() => killAndRestart(together)) : undefined,
      watch(together, posted),
    ])
    return { posted, postingMs, kill, allMs: elapsedMs() }
  } finally {
    failure.abort()
  }
}

async function watch({ plan, service, progress, signal }: Scene, posted: readonly Posted[]): Promise<void> {
  for (;;) {
    const stats = await service.stats(signal)
    progress.show(posted.length, stats)
    if (stats !== undefined && posted.length === plan.posts.length && unfinished(stats) === 0) return
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }
}
