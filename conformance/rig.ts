import type { Broker } from '../lib/broker.ts'

/** A fault that the suite asks for; a text says why it cannot be had, and is printed with what is left out. */
export type Fault<F> = F | string

/** What a broker under test stands on: made for one case, with queues of its own. */
export interface BrokerRig extends AsyncDisposable {
  /** The broker of one more node, on the same queues, not opened yet. */
  attach(): Promise<Broker>
  /** Breaks the connections of such a node, as a network does; the broker has to find back by itself. */
  readonly cut: Fault<(broker: Broker) => Promise<void>>
  /** Kills what holds the messages and starts it again. Asked of brokers whose durability is 'restart'. */
  readonly restart: Fault<() => Promise<void>>
  /** Nothing that comes later than this after its cause is waited for, where the suite shows that nothing comes. */
  readonly quietMs: number
  /** How long the suite waits for what has to come. */
  readonly patienceMs: number
}

export type MakeRig = () => Promise<BrokerRig>
