import { followerCount } from './followers.ts'
import { CHUNK, deliver, NETWORKS, share, thumbnail, WIDTHS } from './tasks.ts'

/** A picture that an author posts. */
export interface Post {
  readonly photo: number
  readonly author: number
}

export interface Plan {
  readonly users: number
  readonly posts: readonly Post[]
  /** Deliveries of all photos to all followers. */
  readonly deliveries: number
  /** By task: how many jobs the posts come to. */
  readonly jobs: ReadonlyMap<string, number>
}

const ROUNDS = 2

/** Every author posts twice, in turn, the celebrity first. */
export function planOf(authors: number, users: number): Plan {
  const posts = Array.from({ length: authors * ROUNDS }, (_, at) => ({ photo: at + 1, author: (at % authors) + 1 }))
  const counts = posts.map(({ author }) => followerCount(author, users))
  return {
    users,
    posts,
    deliveries: sum(counts),
    jobs: new Map([
      [thumbnail.name, posts.length * WIDTHS.length],
      [deliver.name, sum(counts.map((count) => Math.ceil(count / CHUNK)))],
      [share.name, posts.length * NETWORKS.length],
    ]),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
