import { fromErrorRecord, type ErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { decodePayload } from '../../lib/payload.ts'
import type { EndedState } from '../../lib/job-state.ts'
import { Ring } from '../../lib/ring.ts'
import { INBOX_NUMBERS_FROM } from '../journal/schema.ts'

/** How a job ended, as far as `result()` needs it. */
export interface End {
  readonly state: EndedState
  /** Encoded result of a success. */
  readonly output?: string
  readonly error?: ErrorRecord
  readonly reason?: string
}

interface Waiter {
  resolve(value: unknown): void
  reject(error: unknown): void
}

const RECENT_JOBS = 10_000
const RECENT_BYTES = 8 * 1024 * 1024

/** Ends of jobs for those who ask in this process: who waits is answered by the settle, who is late by a bounded memory. */
export class Results {
  readonly #waiters = new Map<number, Waiter[]>()
  readonly #recent = new Map<number, End>()
  /** Beside the map, since a map that is emptied from its front grows slow to iterate. */
  readonly #order = new Ring<number>()
  #recentBytes = 0
  /** No end of a job with a higher number was forgotten. */
  #forgottenUpTo = Number.POSITIVE_INFINITY

  /** Jobs with lower numbers were there before this process. */
  begin(firstNumber: number): void {
    this.#forgottenUpTo = firstNumber - 1
  }

  /** Called after the commit, once for every job that has ended. */
  ended(number: number, end: End): void {
    this.#remember(number, end)
    if (this.#waiters.size > 0) this.answer(number, end)
  }

  /** Answers those who wait, with an end that the journal has kept. */
  answer(number: number, end: End): void {
    for (const waiter of this.#take(number)) answer(end, waiter)
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
    return number > this.#forgottenUpTo && number < INBOX_NUMBERS_FROM && !this.#recent.has(number)
  }

  /** Who waits for a duplicate waits for the first job from now on. */
  follow(duplicate: number, first: number): void {
    const waiters = this.#take(duplicate)
    if (waiters.length > 0) this.#waiters.set(first, [...(this.#waiters.get(first) ?? []), ...waiters])
  }

  wait(number: number): { readonly promise: Promise<unknown>; leave(): void } {
    let waiter: Waiter | undefined
    const promise = new Promise<unknown>((resolve, reject) => {
      waiter = { resolve, reject }
      const waiters = this.#waiters.get(number)
      if (waiters === undefined) this.#waiters.set(number, [waiter])
      else waiters.push(waiter)
    })
    const leave = () => {
      const left = this.#waiters.get(number)?.filter((each) => each !== waiter) ?? []
      if (left.length === 0) this.#waiters.delete(number)
      else this.#waiters.set(number, left)
    }
    return { promise, leave }
  }

  rejectAll(error: unknown): void {
    const all = [...this.#waiters.values()].flat()
    this.#waiters.clear()
    for (const waiter of all) waiter.reject(error)
  }

  /** A job that had ended is open again. */
  reopened(number: number): void {
    this.#forget(number)
  }

  #take(number: number): Waiter[] {
    const waiters = this.#waiters.get(number)
    if (waiters === undefined) return []
    this.#waiters.delete(number)
    return waiters
  }

  #remember(number: number, end: End): void {
    this.#forget(number)
    this.#recent.set(number, end)
    this.#order.push(number)
    this.#recentBytes += end.output?.length ?? 0
    while (this.#order.length > RECENT_JOBS || this.#recentBytes > RECENT_BYTES) {
      const oldest = this.#order.shift() as number
      this.#forget(oldest)
      if (oldest > this.#forgottenUpTo && oldest < INBOX_NUMBERS_FROM) this.#forgottenUpTo = oldest
    }
  }

  #forget(number: number): void {
    const end = this.#recent.get(number)
    if (end === undefined) return
    this.#recent.delete(number)
    this.#recentBytes -= end.output?.length ?? 0
  }
}

/** Resolves or rejects as `result()` does for a job that ended so. */
export function answer(end: End, { resolve, reject }: Waiter): void {
  switch (end.state) {
    case 'succeeded':
      return resolve(decodePayload(end.output ?? ''))
    case 'dead':
      return reject(jobError(end.error))
    case 'cancelled':
      return reject(new MillraceError('MILLRACE_JOB_CANCELLED', 'the job was cancelled; it has no result'))
    case 'discarded':
      return reject(
        new MillraceError('MILLRACE_JOB_DISCARDED', `the job was discarded: ${end.reason}; it has no result`),
      )
    case 'expired':
      return reject(
        new MillraceError('MILLRACE_JOB_EXPIRED', 'the job could not start before its expiresAt; it has no result'),
      )
  }
}

/** A job's last error: Millrace's own as it is, a handler's as the cause of `MILLRACE_JOB_FAILED`. */
function jobError(record: ErrorRecord | undefined): Error {
  if (record === undefined) return new MillraceError('MILLRACE_JOB_FAILED', 'the job is dead; its error was not kept')
  const error = fromErrorRecord(record)
  if (error instanceof MillraceError) return error
  return new MillraceError(
    'MILLRACE_JOB_FAILED',
    `the job is dead after its last attempt: ${record.message}; see the cause`,
    {
      cause: error,
    },
  )
}
