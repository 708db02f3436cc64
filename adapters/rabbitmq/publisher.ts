import type { ConfirmChannel, Message as Returned } from 'amqplib'
import { HELD, UNROUTABLE, type BrokerSupports, type Message, type PublishResult } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import { checkMessage, refusedForGood } from '../../lib/message.ts'
import { Ring } from '../../lib/ring.ts'
import { delayKey, highestLevel, stepsOf } from './delays.ts'
import { type Entry, Group } from './group.ts'
import type { Settings } from './options.ts'
import { brokerName, levelName } from './topology.ts'
import { bufferOf, propertiesOf } from './wire.ts'

export interface PublisherParts {
  readonly settings: Settings
  readonly supports: BrokerSupports
  readonly clock: Clock
  /** Queues of kind 'fan', which are exchanges. */
  readonly fans: ReadonlySet<string>
  /** Queues of kind 'work', the only ones that a delay can lead to. */
  readonly works: ReadonlySet<string>
  /** Makes the levels of delays up to this one be there; until then nothing is sent. */
  readonly needLevel: (level: number) => 'there' | 'soon'
  /** The connection does not answer. */
  readonly suspect: (error: MillraceError) => void
}

/**
 * A channel that refuses everything for so long is made anew: one that was opened while a quorum queue had no leader goes on
 * refusing for ever, although there is one again (RabbitMQ 3.10).
 */
const REFUSING_MS = 2_000

/**
 * Sends groups of messages over whatever channel there is, so many at once as the window has room for, and answers each
 * message by its own confirm. Without a channel they wait, for as long as a message may take.
 */
export class Publisher {
  readonly #parts: PublisherParts
  readonly #waiting = new Ring<Entry>()
  /** Sent and not confirmed, by the number that the channel gives them, lowest first. */
  readonly #sent = new Map<number, Entry>()
  /** In the order of their deadlines. */
  readonly #groups = new Ring<Group>()
  #channel: ConfirmChannel | undefined
  #lastTag = 0
  #flow: 'free' | 'held' = 'free'
  /** When the first of nothing but refusals came. */
  #refusingSinceMs: number | undefined
  #timer: Timer | undefined

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const { clock, settings } = this.#parts
    const group = new Group(messages.length, clock.monotonicMs() + settings.publishTimeoutMs)
    for (let index = 0; index < messages.length; index++) this.#add(messages[index] as Message, group, index)
    if (!group.isDone) this.#watch(group)
    this.pump()
    return group.results
  }

  /** The channel is there, and nothing has been sent on it. */
  begin(channel: ConfirmChannel): void {
    this.#channel = channel
    this.#lastTag = 0
    this.#flow = 'free'
    this.#refusingSinceMs = undefined
    // A number of an older channel would be taken for one of this.
    const isCurrent = () => this.#channel === channel
    channel.on('return', (message) => {
      if (isCurrent()) this.#markReturned(message)
    })
    channel.on('ack', ({ deliveryTag, multiple }) => {
      if (!isCurrent()) return
      this.#refusingSinceMs = undefined
      this.#confirmed(deliveryTag, multiple, HELD)
    })
    channel.on('nack', ({ deliveryTag, multiple }) => {
      if (!isCurrent()) return
      const error = refusal()
      this.#noteRefusal(error)
      this.#confirmed(deliveryTag, multiple, { type: 'refused', again: 'later', error })
    })
    this.pump()
  }

  /** What was sent may or may not have arrived; what was not sent goes back too, since others may take it. */
  letGo(error: MillraceError): void {
    this.#channel = undefined
    this.#sent.clear()
    this.#waiting.clear()
    for (const group of this.#groups) group.giveUp(error)
    this.#groups.clear()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  hold(): void {
    this.#flow = 'held'
  }

  release(): void {
    this.#flow = 'free'
    const atMs = this.#parts.clock.monotonicMs()
    // It could not answer meanwhile: its time begins now.
    for (const entry of this.#sent.values()) entry.sentAtMs = atMs
    this.pump()
    this.#setTimer()
  }

  /** Sends what the window has room for. */
  pump(): void {
    // After each confirm, mostly: the clock is read only if there is something to send.
    if (this.#waiting.length === 0) return
    const { settings, clock } = this.#parts
    const atMs = clock.monotonicMs()
    const { window } = settings
    while (this.#channel !== undefined && this.#flow === 'free' && this.#sent.size < window) {
      const entry = this.#waiting.peek()
      if (entry === undefined) return
      if (!entry.group.isDone && !this.#send(this.#channel, entry, atMs)) return
      this.#waiting.shift()
    }
  }

  #add(message: Message, group: Group, index: number): void {
    const { supports, works } = this.#parts
    const error = checkMessage(message, supports)
    if (error !== undefined) return group.answer(index, refusedForGood(error))
    const steps = message.delayMs === undefined ? 0 : stepsOf(message.delayMs)
    // It would be lost behind the levels, where nobody can be told any more.
    if (steps > 0 && !works.has(message.queue)) return group.answer(index, UNROUTABLE)
    this.#waiting.push({ message, group, index, steps, returned: 'no', sentAtMs: 0 })
  }

  #send(channel: ConfirmChannel, entry: Entry, atMs: number): boolean {
    const { message, steps } = entry
    if (steps > 0 && this.#parts.needLevel(highestLevel(steps)) === 'soon') return false
    const { settings, fans, suspect } = this.#parts
    const name = brokerName(settings, message.queue)
    const isFan = fans.has(message.queue)
    const exchange = steps > 0 ? levelName(settings, highestLevel(steps)) : isFan ? name : ''
    const key = steps > 0 ? delayKey(steps, name) : isFan ? '' : name
    try {
      channel.publish(exchange, key, bufferOf(message.body), propertiesOf(message))
    } catch (cause) {
      if (!isClosed(cause)) {
        // It cannot be put into frames, and never will be: the next one can.
        entry.group.answer(entry.index, refusedForGood(unsendable(cause)))
        return true
      }
      // Its event has not come yet.
      suspect(new MillraceError('MILLRACE_BROKER_LOST', 'the channel takes no message; it is made anew', { cause }))
      return false
    }
    entry.sentAtMs = atMs
    this.#sent.set(++this.#lastTag, entry)
    return true
  }

  /** Comes before the confirm of the same message, which only says that the broker is done with it. */
  #markReturned({ properties }: Returned): void {
    for (const entry of this.#sent.values()) {
      if (entry.returned === 'yes' || entry.message.id !== properties.messageId) continue
      entry.returned = 'yes'
      return
    }
  }

  #confirmed(tag: number, multiple: boolean, result: PublishResult): void {
    if (multiple) {
      for (const [each, entry] of this.#sent) {
        if (each > tag) break
        this.#sent.delete(each)
        answer(entry, result)
      }
    } else {
      const entry = this.#sent.get(tag)
      this.#sent.delete(tag)
      if (entry !== undefined) answer(entry, result)
    }
    this.pump()
  }

  #noteRefusal(error: MillraceError): void {
    const { clock, suspect } = this.#parts
    const now = clock.monotonicMs()
    this.#refusingSinceMs ??= now
    if (now - this.#refusingSinceMs >= REFUSING_MS) suspect(error)
  }

  /** Groups of one time-out each end in their order, about: those that are answered are forgotten from the front. */
  #watch(group: Group): void {
    while (this.#groups.peek()?.isDone === true) this.#groups.shift()
    this.#groups.push(group)
    this.#setTimer()
  }

  /** A timer that is set is early enough: whatever comes later is due later. */
  #setTimer(): void {
    if (this.#timer !== undefined) return
    const dueMs = Math.min(this.#groups.peek()?.deadlineMs ?? Number.POSITIVE_INFINITY, this.#answerDueMs())
    if (dueMs === Number.POSITIVE_INFINITY) return
    const { clock } = this.#parts
    this.#timer = clock.setTimer(dueMs - clock.monotonicMs(), () => this.#lookAtDeadlines())
    this.#timer.unref()
  }

  #lookAtDeadlines(): void {
    const { clock, settings, suspect } = this.#parts
    const now = clock.monotonicMs()
    const error = timeout(settings.publishTimeoutMs, this.#flow)
    for (let group = this.#groups.peek(); group !== undefined; group = this.#groups.peek()) {
      if (!group.isDone && group.deadlineMs > now) break
      group.giveUp(error)
      this.#groups.shift()
    }
    this.#timer = undefined
    if (now >= this.#answerDueMs()) suspect(error)
    this.#setTimer()
  }

  /**
   * When the broker must have answered what was sent first. Its group may have been given up before that: the time of a group
   * begins when it is handed over, and a message may wait for room in the window.
   */
  #answerDueMs(): number {
    if (this.#flow === 'held') return Number.POSITIVE_INFINITY
    for (const { sentAtMs } of this.#sent.values()) return sentAtMs + this.#parts.settings.publishTimeoutMs
    return Number.POSITIVE_INFINITY
  }
}

function answer({ group, index, returned }: Entry, result: PublishResult): void {
  group.answer(index, returned === 'yes' ? UNROUTABLE : result)
}

/** The driver's word for a channel that is closed or about to be. */
function isClosed(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'IllegalOperationError'
}

function unsendable(cause: unknown): MillraceError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('MILLRACE_MESSAGE_INVALID', `a message cannot be sent: ${said}; see its headers`, { cause })
}

function refusal(): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_REFUSED',
    'the broker took a message and refused it; expected room in the queue; see its length and its policies',
  )
}

function timeout(afterMs: number, flow: 'free' | 'held'): MillraceError {
  const why = flow === 'free' ? 'the broker has not answered' : 'the broker takes no messages (an alarm of its own)'
  return new MillraceError('MILLRACE_BROKER_TIMEOUT', `${why} in ${afterMs} ms; see its alarms and its load`)
}
