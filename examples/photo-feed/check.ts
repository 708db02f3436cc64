import sharp from 'sharp'
import { FeedLists } from './feed-store.ts'
import { followersOf } from './followers.ts'
import type { Post } from './plan.ts'
import type { Report } from './report.ts'
import { paths } from './settings.ts'
import { NETWORKS, WIDTHS } from './tasks.ts'

/** One thing that was looked at; all is well if there are no faults. */
export interface Check {
  readonly what: string
  readonly faults: readonly string[]
}

const FILES_AT_ONCE = 8

/** Looks into every list of the feed store; knows nothing of jobs. */
export function checkFeeds(file: string, users: number, posts: readonly Post[]): Check {
  const lists = new FeedLists(file)
  const faults: string[] = []
  let deliveries = 0
  for (const { photo, author } of posts) {
    const { ids } = followersOf(author, users, undefined, users)
    for (const user of ids) {
      const count = lists.count(user, photo)
      if (count !== 1) faults.push(`user ${user} has photo ${photo} of author ${author} ${count} times`)
    }
    deliveries += ids.length
  }
  if (lists.size !== deliveries) faults.push(`the lists hold ${lists.size} photos, expected ${deliveries}`)
  const figure = deliveries.toLocaleString('en')
  return { what: `${figure} deliveries: every follower of every author has each photo exactly once`, faults }
}

/** Decodes every thumbnail. */
export async function checkThumbnails(folder: string, posts: readonly Post[]): Promise<Check> {
  const faults: string[] = []
  const files = posts.flatMap(({ photo }) =>
    WIDTHS.map((width) => ({ file: paths.thumbnail(folder, photo, width), width })),
  )
  const queue = files.values()
  const reader = async () => {
    for (const { file, width } of queue) {
      const fault = await faultOf(file, width).catch((error: unknown) => String(error))
      if (fault !== undefined) faults.push(`${file}: ${fault}`)
    }
  }
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, reader))
  return { what: `${files.length.toLocaleString('en')} thumbnails: each can be decoded and has its width`, faults }
}

async function faultOf(file: string, expected: number): Promise<string | undefined> {
  const picture = sharp(file, { failOn: 'truncated' })
  const { width } = await picture.metadata()
  // The smallest size makes the decoder read the whole file for little work.
  await picture.resize(8).raw().toBuffer()
  return width === expected ? undefined : `${width} wide, expected ${expected}`
}

/** At least once is what is promised: a network that hangs up before it answers gets the post again. */
export function checkShares(accepted: ReadonlyMap<string, number>, posts: readonly Post[]): Check {
  const wanted = posts.flatMap(({ photo }) => NETWORKS.map((network) => `/${network}/${photo}`))
  const faults = wanted.filter((path) => !accepted.has(path)).map((path) => `${path} was never accepted`)
  const again = wanted.filter((path) => (accepted.get(path) ?? 0) > 1).length
  const figure = wanted.length.toLocaleString('en')
  return { what: `${figure} cross-posts: each accepted, ${again} of them more than once (at least once)`, faults }
}

/** Posts that were sent again have made no second job. */
export function checkJobs(expected: ReadonlyMap<string, number>, { tasks }: Report): Check {
  const faults = [...expected].flatMap(([name, count]) => {
    const { succeeded = 0, dead = 0 } = tasks.find(({ task }) => task === name) ?? {}
    return succeeded === count && dead === 0
      ? []
      : [`${name}: ${succeeded} succeeded and ${dead} are dead, expected ${count} and 0`]
  })
  const total = [...expected.values()].reduce((sum, count) => sum + count, 0)
  return { what: `${total.toLocaleString('en')} jobs: each once, however often its post was sent`, faults }
}
