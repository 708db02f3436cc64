import { MillraceError } from './errors.ts'

/**
 * An external queue that several machines share, as the runtime sees it: bytes in, bytes out. Retries, counts, codecs and
 * policy stay in the runtime; connections, topology and recovery stay in the adapter. No adapter has methods of its own
 * on top of these: what it cannot do it says in `supports`.
 *
 * Nothing here rejects because the broker is away: it is looked for until `close`, and meanwhile `publish` says so of
 * each message after a bounded time. `MILLRACE_BROKER_CLOSED` is what calls after `close` get.
 */
export interface Broker {
  readonly supports: BrokerSupports
  /**
   * To be called once, before anything else, and not to be awaited by who can go on without the broker: resolves when it
   * was reached and the queues are there. Rejects with `MILLRACE_BROKER_CLOSED` if `close` comes first, and with
   * `MILLRACE_BROKER_CLIENT` where the adapter's client package is missing.
   */
  open(options: OpenOptions): Promise<void>
  /**
   * Sends a group and resolves when each of its messages came to something: one result a message, in their order. Groups
   * may be sent while others are under way, and are answered in any order. Answers within the adapter's publish timeout.
   * How much is under way is the caller's to bound: what the adapter's window has no room for waits in memory.
   */
  publish(messages: readonly Message[]): Promise<readonly PublishResult[]>
  /**
   * Takes messages of a queue that was named to `open`, or of its dead letters (`deadLetterQueue`), from when the broker
   * is there, and again each time it comes back, until `cancel` or `close`.
   * Throws `MILLRACE_INVALID_OPTION` for another queue.
   */
  subscribe(queue: string, options: SubscribeOptions): Subscription
  /** Everything unsettled goes back to its queue, what is under way is `unconfirmed`. Idempotent; never rejects. */
  close(): Promise<void>
}

/** Facts about a broker, for the runtime and the conformance suite to branch on; they never change. */
export interface BrokerSupports {
  /** What it holds outlives 'nothing' but clients, or a 'restart' of the broker too. */
  readonly durability: 'nothing' | 'restart'
  /**
   * How messages can be held back: `delayMs` is rounded up to a multiple of `stepMs`, and is `mostMs` at most.
   * 'none': a message with `delayMs` is refused.
   */
  readonly delay: 'none' | { readonly stepMs: number; readonly mostMs: number }
  /** How many priorities are told apart: 1 means that `priority` is ignored. */
  readonly priorities: number
  /** Whether 'dead' can be settled and dead letters be subscribed to. */
  readonly deadLetter: boolean
  /** Whether there are queues of kind 'fan', which the control of nodes needs. */
  readonly control: boolean
}

export interface OpenOptions {
  /** Everything that is subscribed to, and everything of kind 'work' or 'fan' that is published to. */
  readonly queues: readonly QueueSpec[]
  /** Is told what happens to the connection; must not throw. */
  readonly tell: (event: BrokerEvent) => void
}

/** A queue, by what is asked of it. Names are `^[a-z0-9][a-z0-9._-]{0,127}$`. */
export type QueueSpec =
  /** Each message goes to one subscription and stays until it is settled. As durable as the broker is. */
  | { readonly name: string; readonly kind: 'work' }
  /**
   * As 'work', but of one node: gone when nobody has subscribed for `expiresMs`, messages when they are that old; above
   * `most` messages the oldest are dropped. Others publish to it by its name alone, without naming it to `open`.
   */
  | { readonly name: string; readonly kind: 'reply'; readonly expiresMs: number; readonly most: number }
  /** Each message goes to every subscription there is at that moment, on all nodes, and is kept for nobody. */
  | { readonly name: string; readonly kind: 'fan' }

/** What is published. `checkMessage` has the bounds. */
export interface Message {
  /** The same whenever the message is sent again, so that who takes it can tell a duplicate. */
  readonly id: string
  readonly queue: string
  /** At most 1,152 KiB: a payload of 1 MiB, and what is said of it. */
  readonly body: Uint8Array
  readonly headers?: Headers
  /** 0 to 9, higher first; 4 if absent. */
  readonly priority?: number
  /** Held back for so long, also if every node is gone; only for queues of kind 'work'. */
  readonly delayMs?: number
}

/** At most 32, and 16 KiB in all. Names are `^(?!x-)[a-z][a-z0-9-]{0,63}$`, numbers safe integers. */
export type Headers = Readonly<Record<string, string | number>>

/** What a message came to. */
export type PublishResult =
  /** The broker holds it, as durably as it can: it is no longer the sender's to keep. */
  | { readonly type: 'held' }
  /** There is no such queue (or, of kind 'fan', no subscription): the broker does not hold it. */
  | { readonly type: 'unroutable' }
  /** Not held: by the broker's word ('later': it may take it, but not at once), or because it is no message ('never'). */
  | { readonly type: 'refused'; readonly again: 'later' | 'never'; readonly error: MillraceError }
  /** Held or not, nobody knows, as when the connection was lost: send it again with the same id. */
  | { readonly type: 'unconfirmed'; readonly error: MillraceError }

export const HELD: PublishResult = { type: 'held' }
export const UNROUTABLE: PublishResult = { type: 'unroutable' }

export interface SubscribeOptions {
  /** How many deliveries may be unsettled at once: an integer from 0 (paused) to 65,535. */
  readonly prefetch: number
  /** Is called once for each delivery, never from within `subscribe`; must not throw. */
  readonly deliver: (delivery: Delivery) => void
  /**
   * The broker has taken back what was unsettled, and gives it to somebody again, marked as redelivered: these deliveries
   * can no longer be settled. (Those of a fan are kept for nobody, and do not come again.) New ones come by themselves.
   * Must not throw. Not called by `cancel` and `close`.
   */
  readonly lost: (orphaned: readonly Delivery[], error: MillraceError) => void
}

/** One message from a queue, unsettled until its subscription settles it. */
export interface Delivery {
  readonly id: string
  readonly queue: string
  readonly body: Uint8Array
  readonly headers: Headers
  /** Somebody may have had it before: true whenever that is so, and perhaps when it is not. */
  readonly redelivered: boolean
  /** How often it was handed out before, as far as the broker counts; 0 if it does not. */
  readonly returns: number
  /** The one that can settle it. */
  readonly from: Subscription
}

export interface Subscription {
  /** Resolves when messages can come for the first time, or when it has ended before. */
  readonly begun: Promise<void>
  /**
   * Ends deliveries: one result each, in their order. A group may mix verdicts, and holds deliveries in any order. 'done'
   * and 'return' are told the broker at once; the others wait until it holds the message that comes instead. A broker
   * that is lost before it hears of a settlement delivers again: settling is at least once.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]>
  /** Changes how many may be unsettled; what is above that already stays. 0 pauses, and what is unsettled stays so. */
  setPrefetch(prefetch: number): void
  /** Takes nothing more; what is unsettled goes back to the queue and is orphaned. Idempotent; never rejects. */
  cancel(): Promise<void>
}

export interface Settlement {
  readonly delivery: Delivery
  readonly verdict: Verdict
}

export type Verdict =
  | { readonly type: 'done' }
  /** Back to its queue for anybody, marked as redelivered; at once, so never as an answer to a failure. */
  | { readonly type: 'return' }
  /** Another message comes in its place: it is done once the broker holds that one. */
  | { readonly type: 'replace'; readonly by: Message }
  /** To the dead letters of its queue, with the reason as its header `dead-reason`. */
  | { readonly type: 'dead'; readonly reason: string }

export const DONE: Verdict = { type: 'done' }

export type SettleResult =
  /** The broker was told. */
  | { readonly type: 'settled' }
  /** It had been taken back: nothing was done, and it comes again. */
  | { readonly type: 'orphaned' }
  /** What should come in its place is not held, so it is still unsettled: settle it again. */
  | { readonly type: 'kept'; readonly because: PublishResult }
  /** It was settled before, or is of another subscription: a mistake of the caller. */
  | { readonly type: 'unknown' }

export const SETTLED: SettleResult = { type: 'settled' }
export const ORPHANED: SettleResult = { type: 'orphaned' }
export const UNKNOWN: SettleResult = { type: 'unknown' }

/** What happens to connections. `link` names one, without its password. */
export type BrokerEvent =
  /** Messages can be published through it. */
  | { readonly type: 'up'; readonly link: string }
  /** It cannot be used; it is tried again in `retryMs`. Told for each failed try too. */
  | { readonly type: 'down'; readonly link: string; readonly error: MillraceError; readonly retryMs: number }
  /** The broker takes nothing more, as without memory; it still delivers and hears settlements. */
  | { readonly type: 'blocked'; readonly link: string; readonly reason: string }
  | { readonly type: 'unblocked'; readonly link: string }
  /** A subscription cannot take messages: its queue is gone, not permitted, or silent although it is not empty. */
  | {
      readonly type: 'subscription-down'
      readonly link: string
      readonly queue: string
      readonly error: MillraceError
      readonly retryMs: number
    }
  | { readonly type: 'subscription-up'; readonly link: string; readonly queue: string }
  /** What is no message of ours was in a queue: it is among the dead letters now, or dropped where there are none. */
  | { readonly type: 'malformed'; readonly link: string; readonly queue: string; readonly error: MillraceError }

/** What a call gets after `close`. */
export function brokerClosed(): MillraceError {
  return new MillraceError('MILLRACE_BROKER_CLOSED', 'the broker was closed; open another one')
}
