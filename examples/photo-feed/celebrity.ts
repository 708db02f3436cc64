import { FeedStore } from './feed-store.ts'
import type { Plan } from './plan.ts'
import { paths } from './settings.ts'

/** How many of the celebrity's followers have her first photo: they get it in the order of their ids, so halving finds it. */
export function celebrityReached({ posts, users }: Plan, folder: string): string {
  const photo = posts[0]?.photo ?? 0
  const feeds = FeedStore.open(paths.feeds(folder))
  try {
    let reached = 0
    let missed = users
    while (reached < missed) {
      const user = Math.floor((reached + missed) / 2)
      if (feeds.list(user).includes(photo)) reached = user + 1
      else missed = user
    }
    return reached.toLocaleString('en')
  } finally {
    feeds.close()
  }
}
