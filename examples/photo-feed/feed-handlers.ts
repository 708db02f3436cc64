import { handle } from 'millrace'
import { FeedStore } from './feed-store.ts'
import { followersOf } from './followers.ts'
import { fromEnvironment, paths } from './settings.ts'
import { CHUNK, deliver, SAME_POST_MS } from './tasks.ts'

// Apart from the other handlers, since the feed store has one writer: of several processes one alone loads this.

const { folder, users } = fromEnvironment()
let feeds: FeedStore

/** Called once in every thread, before its first job. */
export function setup(): void {
  feeds = FeedStore.open(paths.feeds(folder))
}

export function teardown(): void {
  feeds.close()
}

/** Doing a chunk twice changes nothing: `deliver` passes over lists that have the photo. */
export const deliverHandler = handle(deliver, async ({ photo, author, cursor }, context) => {
  const page = followersOf(author, users, cursor, CHUNK)
  const delivered = feeds.deliver(photo, page.ids)
  if (page.cursor !== undefined) {
    // Committed together with this job's success, so a chunk is never followed by none. On a broker a chunk may succeed
    // twice (its sender was killed and has sent it again): by the key it is not followed by two.
    const key = { key: `${photo}:${page.cursor}`, scope: SAME_POST_MS }
    await context.enqueue(deliver, { photo, author, cursor: page.cursor }, { key })
  }
  return { delivered, already: page.ids.length - delivered }
})
