import { handle, lazy } from 'millrace'
import { FeedStore } from './feed-store.ts'
import { followersOf } from './followers.ts'
import { fromEnvironment, paths } from './settings.ts'
import { CHUNK, deliver, share, thumbnail } from './tasks.ts'

const { folder, users } = fromEnvironment()
let feeds: FeedStore

/** Called once in every thread, before its first job. */
export function setup(): void {
  feeds = FeedStore.open(paths.feeds(folder))
}

export function teardown(): void {
  feeds.close()
}

/** Lazy: the image library is loaded by the threads that make thumbnails, and by no other. */
export const thumbnailHandler = handle(
  thumbnail,
  lazy(() => import('./thumbnail.ts')),
)

/** Doing a chunk twice changes nothing: `deliver` passes over lists that have the photo. */
export const deliverHandler = handle(deliver, async ({ photo, author, cursor }, context) => {
  const page = followersOf(author, users, cursor, CHUNK)
  const delivered = feeds.deliver(photo, page.ids)
  // Committed together with this job's success, so a chunk is never followed by none, or by two.
  if (page.cursor !== undefined) await context.enqueue(deliver, { photo, author, cursor: page.cursor })
  return { delivered, already: page.ids.length - delivered }
})

export const shareHandler = handle(share, async ({ photo, url }, { signal }) => {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ photo }), signal })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
})
