import { setTimeout as sleep } from 'node:timers/promises'
import type { Scene } from './course.ts'
import type { Post } from './plan.ts'
import type { Taken } from './service.ts'

/** A post that the service has taken. */
export interface Posted extends Post, Taken {
  /** Epoch ms, of the first time it was sent. */
  readonly sentAt: number
  /** Of the request that was answered, the body included. */
  readonly tookMs: number
  /** How often it was sent before that, in vain. */
  readonly cut: number
}

const AT_ONCE = 16
const AGAIN_AFTER_MS = 20

/**
 * So many authors at once post one picture after another. A request that is cut off, or refused, is sent again: the
 * service knows by the photo's number what it has taken already.
 */
export async function postAll(
  scene: Scene,
  pictures: readonly Buffer[],
  taken: (posted: Posted) => void,
): Promise<void> {
  const queue = scene.plan.posts.values()
  const author = async () => {
    for (const post of queue) taken(await send(post, pictures[post.photo % pictures.length] as Buffer, scene))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, author))
}

async function send(post: Post, picture: Buffer, { service, signal }: Scene): Promise<Posted> {
  const sentAt = Date.now()
  for (let cut = 0; ; cut++) {
    const url = await up(service, signal)
    const startedAt = performance.now()
    const answer = await attempt(`${url}/photos?photo=${post.photo}&author=${post.author}`, picture, signal)
    if (answer !== 'cut') return { ...post, ...answer, sentAt, tookMs: performance.now() - startedAt, cut }
    await sleep(AGAIN_AFTER_MS, undefined, { signal })
  }
}

/** Resolves to the service's address when it has one. */
async function up(service: Scene['service'], signal: AbortSignal): Promise<string> {
  for (;;) {
    if (service.url !== undefined) return service.url
    await sleep(AGAIN_AFTER_MS, undefined, { signal })
  }
}

async function attempt(url: string, picture: Buffer, signal: AbortSignal): Promise<Taken | 'cut'> {
  try {
    const answer = await fetch(url, { method: 'POST', body: picture, signal })
    const value: unknown = await answer.json()
    return answer.ok ? (value as Taken) : 'cut'
  } catch {
    signal.throwIfAborted()
    return 'cut'
  }
}
