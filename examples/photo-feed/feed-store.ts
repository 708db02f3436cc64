import { closeSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

/** Photos that a list holds; the oldest one falls out. */
export const LIST_LENGTH = 32

/** A power of two, so that no list crosses a page: a kill in the middle of a write leaves each list old or new. */
const LIST_BYTES = LIST_LENGTH * Uint32Array.BYTES_PER_ELEMENT

/** Users whose lists are read and written at once. */
const WINDOW_USERS = 512

/**
 * The newest photos of each user's feed, newest first, as one file of lists of equal length; 0 is no photo.
 * One writer at a time: that is why the tier `feed` has one thread.
 */
export class FeedStore {
  readonly #file: number
  readonly #window = new Uint32Array(WINDOW_USERS * LIST_LENGTH)

  private constructor(file: number) {
    this.#file = file
  }

  /** An empty list for each of so many users. */
  static create(path: string, users: number): void {
    const file = openSync(path, 'wx')
    const empty = Buffer.alloc(WINDOW_USERS * LIST_BYTES)
    for (let user = 0; user < users; user += WINDOW_USERS) {
      writeSync(file, empty, 0, Math.min(WINDOW_USERS, users - user) * LIST_BYTES)
    }
    fsyncSync(file)
    closeSync(file)
  }

  static open(path: string): FeedStore {
    return new FeedStore(openSync(path, 'r+'))
  }

  /** Puts a photo on the lists that do not have it yet; `users` are in ascending order. Returns how many lists that were. */
  deliver(photo: number, users: Uint32Array): number {
    let changed = 0
    for (let from = 0; from < users.length; ) {
      const first = users[from] as number
      let to = from + 1
      while (to < users.length && (users[to] as number) - first < WINDOW_USERS) to++
      changed += this.#deliverNear(photo, users.subarray(from, to))
      from = to
    }
    return changed
  }

  list(user: number): number[] {
    const list = this.#read(user, 1)
    return [...list.subarray(0, lengthOf(list, 0))]
  }

  close(): void {
    closeSync(this.#file)
  }

  #deliverNear(photo: number, users: Uint32Array): number {
    const first = users[0] as number
    const lists = this.#read(first, (users.at(-1) as number) - first + 1)
    let changed = 0
    for (const user of users) {
      const start = (user - first) * LIST_LENGTH
      if (countIn(lists, start, photo) > 0) continue
      lists.copyWithin(start + 1, start, start + LIST_LENGTH - 1)
      lists[start] = photo
      changed++
    }
    if (changed > 0) writeSync(this.#file, lists, 0, lists.byteLength, first * LIST_BYTES)
    return changed
  }

  #read(first: number, users: number): Uint32Array {
    const lists = this.#window.subarray(0, users * LIST_LENGTH)
    const bytes = readSync(this.#file, lists, 0, lists.byteLength, first * LIST_BYTES)
    if (bytes === lists.byteLength) return lists
    throw new Error(`the feed store ends within the list of user ${first + Math.floor(bytes / LIST_BYTES)}`)
  }
}

/** All lists of a store, read at once. */
export class FeedLists {
  readonly #lists: Uint32Array

  constructor(path: string) {
    const { buffer, byteOffset, byteLength } = readFileSync(path)
    this.#lists = new Uint32Array(buffer, byteOffset, byteLength / Uint32Array.BYTES_PER_ELEMENT)
  }

  get users(): number {
    return this.#lists.length / LIST_LENGTH
  }

  /** How often a user's list has a photo: once, if all is well. */
  count(user: number, photo: number): number {
    return countIn(this.#lists, user * LIST_LENGTH, photo)
  }

  /** How many photos all lists hold together. */
  get size(): number {
    let size = 0
    for (let start = 0; start < this.#lists.length; start += LIST_LENGTH) size += lengthOf(this.#lists, start)
    return size
  }
}

function countIn(lists: Uint32Array, start: number, photo: number): number {
  let count = 0
  for (let at = start; at < start + LIST_LENGTH && lists[at] !== 0; at++) if (lists[at] === photo) count++
  return count
}

function lengthOf(lists: Uint32Array, start: number): number {
  let length = 0
  while (length < LIST_LENGTH && lists[start + length] !== 0) length++
  return length
}
