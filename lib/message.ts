import type { BrokerSupports, Delivery, Message, PublishResult } from './broker.ts'
import { MillraceError } from './errors.ts'
import { invalidOption, shown, wholeNumber } from './options.ts'

// What every adapter asks of a message, so that one that is good for a broker is good for all.

/** Of a body: a payload of 1 MiB, and what is said of it. */
export const MOST_BYTES = 1024 * 1024 + 128 * 1024
/** Unsettled deliveries of a subscription. */
const MOST_PREFETCH = 65_535
export const DEFAULT_MESSAGE_PRIORITY = 4

const ID = /^[\x21-\x7e]{1,128}$/
const QUEUE = /^[a-z0-9][a-z0-9._-]{0,127}$/
const HEADER = /^(?!x-)[a-z][a-z0-9-]{0,63}$/
const MOST_HEADERS = 32
/** Of all headers of a message, with their names. */
const MOST_HEADER_BYTES = 16_384
const MOST_REASON_CHARACTERS = 1_000
const NUMBER_BYTES = 8
const DEAD = '.dead'

/** Where the messages of a queue go that were settled as 'dead'. It can be subscribed to like the queue itself. */
export function deadLetterQueue(queue: string): string {
  return queue + DEAD
}

/**
 * What is put among the dead letters in the place of a delivery: the same message, with the reason as a header; without
 * its own headers where there are so many of them that the reason would not fit.
 */
export function deadLetterOf({ id, queue, body, headers }: Delivery, reason: string): Message {
  const why = { 'dead-reason': reason.slice(0, MOST_REASON_CHARACTERS) }
  const all = { ...headers, ...why }
  return { id, queue: deadLetterQueue(queue), body, headers: checkHeaders(all) === undefined ? all : why }
}

/** The queue whose dead letters these are; undefined for any other. */
export function deadLettersOf(queue: string): string | undefined {
  return queue.endsWith(DEAD) ? queue.slice(0, -DEAD.length) : undefined
}

export function isMessageId(id: unknown): id is string {
  return typeof id === 'string' && ID.test(id)
}

/** `MILLRACE_MESSAGE_INVALID` with the path of what is wrong; undefined for a message that such a broker can take. */
export function checkMessage(message: Message, { delay }: BrokerSupports): MillraceError | undefined {
  const { id, queue, body, headers, priority, delayMs } = message
  if (!isMessageId(id)) return invalid('id', id, '1 to 128 printable characters without blanks')
  if (typeof queue !== 'string' || !QUEUE.test(queue)) return invalid('queue', queue, 'a name like feed or feed.dead')
  if (!(body instanceof Uint8Array)) return invalid('body', body, 'a Uint8Array')
  if (body.length > MOST_BYTES) {
    return invalid('body', `${body.length} bytes`, `at most ${MOST_BYTES}: put it elsewhere and send where`)
  }
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 9)) {
    return invalid('priority', priority, 'an integer from 0 to 9')
  }
  const mostMs = delay === 'none' ? 0 : delay.mostMs
  if (delayMs !== undefined && !(delayMs >= 0 && delayMs <= mostMs)) {
    return invalid('delayMs', delayMs, `milliseconds from 0 to ${mostMs}`)
  }
  return headers === undefined ? undefined : checkHeaders(headers)
}

/** As `checkMessage`, of headers alone; also for those of a message that somebody else has sent. */
export function checkHeaders(headers: Readonly<Record<string, unknown>>): MillraceError | undefined {
  let count = 0
  let bytes = 0
  for (const name in headers) {
    if (!HEADER.test(name)) return invalid(`headers.${name.slice(0, 80)}`, name, 'a name like attempt or dead-reason')
    if (++count > MOST_HEADERS) return invalid('headers', `more than ${MOST_HEADERS}`, 'few of them; use the body')
    const value = headers[name]
    if (typeof value !== 'string' && !Number.isSafeInteger(value)) {
      return invalid(`headers.${name}`, value, 'a text or a safe integer')
    }
    bytes += name.length + (typeof value === 'string' ? Buffer.byteLength(value) : NUMBER_BYTES)
  }
  if (bytes <= MOST_HEADER_BYTES) return undefined
  return invalid('headers', `${bytes} bytes`, `at most ${MOST_HEADER_BYTES} in all: put more into the body`)
}

/** For a message that no broker will ever take. */
export function refusedForGood(error: MillraceError): PublishResult {
  return { type: 'refused', again: 'never', error }
}

/** Throws `MILLRACE_INVALID_OPTION` for what is no name of a queue. */
export function checkQueueName(name: string, path: string): string {
  if (typeof name === 'string' && QUEUE.test(name)) return name
  throw invalidOption(path, name, 'a name of up to 128 small letters, digits and ._-')
}

/** Throws `MILLRACE_INVALID_OPTION` for what is no prefetch. */
export function checkPrefetch(prefetch: number): number {
  return wholeNumber(prefetch, 0, MOST_PREFETCH, 'prefetch')
}

function invalid(path: string, got: unknown, expected: string): MillraceError {
  return new MillraceError(
    'MILLRACE_MESSAGE_INVALID',
    `a message cannot be sent; its ${path} is ${shown(got)}, expected ${expected}`,
    { path },
  )
}
