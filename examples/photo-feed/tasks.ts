import { defineTask } from 'millrace'

// Contracts alone: the service enqueues by them without loading any work.

export const WIDTHS = [640, 320, 150] as const
export const NETWORKS = ['postcard', 'billboard'] as const
export const CHUNK = 10_000

/** How long a post that is sent again is known as the same, and so is a chunk that runs again. */
export const SAME_POST_MS = 3_600_000

/** Succeeded jobs are looked at again in the final table. */
const KEPT = { keepHistory: { forMs: 3_600_000, max: 100_000 }, keepResultMs: 3_600_000 } as const

/** Names no place: threads of the tier `default`. */
export const thumbnail = defineTask<
  { readonly original: string; readonly file: string; readonly width: number },
  { readonly bytes: number }
>({ name: 'photo.thumbnail', ...KEPT })

/** One chunk of the author's followers; it enqueues the next chunk itself. */
export const deliver = defineTask<
  { readonly photo: number; readonly author: number; readonly cursor?: number },
  { readonly delivered: number; readonly already: number }
>({ name: 'feed.deliver', tier: 'feed', ...KEPT })

/** Mostly waits for somebody else's server: many at once on an event loop. */
export const share = defineTask<{ readonly photo: number; readonly url: string }>({
  name: 'photo.share',
  lane: 'network',
  softLimitMs: 5_000,
  hardLimitMs: 10_000,
  retry: { attempts: 6, backoff: { type: 'exponential', firstMs: 100, maxMs: 2_000, jitter: 'full' } },
  ...KEPT,
})
