/** Authors are numbered by rank, 1 being the celebrity; users from 0. */
export interface FollowerPage {
  readonly ids: Uint32Array
  /** Where the next page begins; `undefined` on the last one. */
  readonly cursor: number | undefined
}

const EXPONENT = 1.3

/** How many follow the author of this rank: a power law whose first author is followed by everybody. */
export function followerCount(author: number, users: number): number {
  return Math.max(1, Math.floor(users / author ** EXPONENT))
}

/**
 * Followers of an author after the cursor, in the order of their ids, as an index on (author, follower) would give them.
 * The graph is computed instead of stored: every so-manieth user follows the author.
 */
export function followersOf(author: number, users: number, cursor: number | undefined, limit: number): FollowerPage {
  const count = followerCount(author, users)
  const stride = Math.floor(users / count)
  const first = scatter(author) % stride
  const from = cursor === undefined ? 0 : (cursor - first) / stride + 1
  const ids = new Uint32Array(Math.min(limit, count - from))
  for (let at = 0; at < ids.length; at++) ids[at] = first + (from + at) * stride
  return { ids, cursor: from + ids.length < count ? ids.at(-1) : undefined }
}

/** A number that looks like chance and is always the same: the finalizer of MurmurHash3. */
export function scatter(value: number): number {
  let hash = value >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
