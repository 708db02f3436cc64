import { setTimeout as sleep } from 'node:timers/promises'
import { type Posted, postAll } from './authors.ts'
import type { ServiceKill } from './kill.ts'
import type { WorkerKill } from './kill-worker.ts'
import type { Plan } from './plan.ts'
import type { Playing } from './playing.ts'
import type { Progress } from './progress.ts'

/** What everything that happens here has to do with. */
export interface Scene {
  readonly plan: Plan
  readonly folder: string
  readonly service: Playing
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

export type Kill = ServiceKill | WorkerKill

/** What happens half-way. */
export type Interruption = (scene: Scene) => Promise<Kill>

/** Posts everything, kills somebody half-way, and resolves when every job has ended. */
export async function runCourse(
  scene: Scene,
  pictures: readonly Buffer[],
  interruption: Interruption | undefined,
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
      interruption && half.then(() => interruption(together)),
      watch(together, posted),
    ])
    return { posted, postingMs, kill, allMs: elapsedMs() }
  } finally {
    failure.abort()
  }
}

async function watch({ plan, service, progress, signal }: Scene, posted: readonly Posted[]): Promise<void> {
  for (;;) {
    // Before the look, which knows nothing of what is posted meanwhile.
    const isPosted = posted.length === plan.posts.length
    const seen = await service.look(signal)
    progress.show(posted.length, seen)
    if (isPosted && seen.state === 'over') return
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }
}
