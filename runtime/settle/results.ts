import { MillraceError } from '../../lib/errors.ts'
import { type End, resultOf } from '../../lib/job-end.ts'
import { INBOX_NUMBERS_FROM } from '../journal/schema/schema.ts'
import { RecentEnds } from './recent-ends.ts'

interface Waiter {
  /** Of the job that it waits for, which may become another. */
  number: number
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** Ends of jobs for those who ask in this process: who waits is answered by the settle, who is late by a bounded memory. */
export class Results {
  readonly #idOf: (number: number) => string
  readonly #waiters = new Map<number, Waiter[]>()
  readonly #recent = new RecentEnds()
  /** No end of a job with a higher number was forgotten. */
  #forgottenUpTo = Number.POSITIVE_INFINITY

  constructor(idOf: (number: number) => string) {
    this.#idOf = idOf
  }

  /** Jobs with lower numbers were there before this process. */
  begin(firstNumber: number): void {
    this.#forgottenUpTo = firstNumber - 1
  }

  /** Called after the commit, once for every job that has ended. */
  ended(number: number, end: End): void {
    this.#doubt(this.#recent.add(number, end))
    if (this.#waiters.size > 0) this.answer(number, end)
  }

  /** Answers those who wait, with an end that the journal has kept. */
  answer(number: number, end: End): void {
    for (const { resolve, reject } of this.#take(number)) {
      try {
        resolve(resultOf(end, () => this.#idOf(number)))
      } catch (error) {
        reject(error)
      }
    }
  }

  /** Tells those who wait that there will be no answer. */
  refuse(number: number, error: unknown): void {
    for (const waiter of this.#take(number)) waiter.reject(error)
  }

  /** The end of a job if it is remembered. */
  recent(number: number): End | undefined {
    return this.#recent.get(number)
  }

  /**
   * Whether a job that is not remembered must still be under way here, so that nobody need ask the journal. Of numbers
   * that others have given, in the inbox, this cannot be told.
   */
  isSurelyOpen(number: number): boolean {
    return number > this.#forgottenUpTo && number < INBOX_NUMBERS_FROM && this.#recent.get(number) === undefined
  }

  /** Who waits for a duplicate waits for the first job from now on. */
  follow(duplicate: number, first: number): void {
    const waiters = this.#take(duplicate)
    for (const waiter of waiters) waiter.number = first
    if (waiters.length > 0) this.#waiters.set(first, [...(this.#waiters.get(first) ?? []), ...waiters])
  }

  wait(number: number): { readonly promise: Promise<unknown>; leave(): void } {
    let leave = () => {}
    const promise = new Promise<unknown>((resolve, reject) => {
      const waiter = { number, resolve, reject }
      const waiters = this.#waiters.get(number)
      if (waiters === undefined) this.#waiters.set(number, [waiter])
      else waiters.push(waiter)
      leave = () => this.#leave(waiter)
    })
    return { promise, leave }
  }

  rejectAll(error: unknown): void {
    const all = [...this.#waiters.values()].flat()
    this.#waiters.clear()
    for (const waiter of all) waiter.reject(error)
  }

  /** A job that had ended is open again. */
  reopened(number: number): void {
    this.#recent.delete(number)
  }

  /** The rows of these jobs are gone, and whatever they would have come to. */
  removed(numbers: readonly number[]): void {
    for (const number of numbers) {
      this.#recent.delete(number)
      this.refuse(number, removed(this.#idOf(number)))
      this.#doubt(number)
    }
  }

  /**
   * Ends of jobs up to this number may have been missed: of them the journal is asked from now on. Returns those that
   * somebody waits for.
   */
  missed(upTo: number): readonly number[] {
    this.#doubt(upTo)
    return [...this.#waiters.keys()]
  }

  #leave(waiter: Waiter): void {
    const { number } = waiter
    const left = this.#waiters.get(number)?.filter((each) => each !== waiter) ?? []
    if (left.length === 0) this.#waiters.delete(number)
    else this.#waiters.set(number, left)
  }

  #take(number: number): Waiter[] {
    const waiters = this.#waiters.get(number)
    if (waiters === undefined) return []
    this.#waiters.delete(number)
    return waiters
  }

  #doubt(number: number): void {
    if (number > this.#forgottenUpTo && number < INBOX_NUMBERS_FROM) this.#forgottenUpTo = number
  }
}

function removed(id: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESULT_NOT_KEPT',
    `${id} was removed from the journal; it has no result; enqueue it again if it is to run`,
  )
}
