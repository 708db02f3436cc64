import {
  type Broker,
  type BrokerSupports,
  type Message,
  type OpenOptions,
  type PublishResult,
  type QueueSpec,
  type SubscribeOptions,
  type Subscription,
} from './broker.ts'
import { deadLettersOf } from './message.ts'

/** Reply queues whose names begin so belong to the control of nodes; that of a fan always does. */
export const CONTROL_PREFIX = 'control.'

export interface DividedOptions {
  /** Has the jobs, and what comes of them. */
  readonly work: Broker
  /** Has everything of kind 'fan', and the reply queues that begin with `CONTROL_PREFIX`. */
  readonly control: Broker
}

/**
 * A broker made of two, so that the control of nodes goes on where the jobs' own broker is overloaded, and the other way
 * round. Each reconnects by itself, and tells of its own links. What replaces a delivery goes where that came from.
 */
export function divided(options: DividedOptions): Broker {
  return new Divided(options)
}

class Divided implements Broker {
  readonly supports: BrokerSupports
  readonly #work: Broker
  readonly #control: Broker
  /** Which part has a queue that was named to `open`. */
  readonly #parts = new Map<string, Broker>()

  constructor({ work, control }: DividedOptions) {
    this.#work = work
    this.#control = control
    this.supports = { ...work.supports, control: control.supports.control }
  }

  async open({ queues, tell }: OpenOptions): Promise<void> {
    for (const spec of queues) this.#parts.set(spec.name, isOfControl(spec) ? this.#control : this.#work)
    const ofPart = (part: Broker) => queues.filter(({ name }) => this.#partOf(name) === part)
    await Promise.all([this.#work, this.#control].map((part) => part.open({ queues: ofPart(part), tell })))
  }

  async publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const results: PublishResult[] = []
    const sent = [this.#work, this.#control].map(async (part) => {
      const own = [...messages.keys()].filter((index) => this.#partOf(messages[index]?.queue) === part)
      // An empty group is asked too where there is nothing to send: a closed broker refuses it.
      if (own.length === 0 && messages.length > 0) return
      const answers = await part.publish(own.map((index) => messages[index] as Message))
      own.forEach((index, at) => {
        results[index] = answers[at] as PublishResult
      })
    })
    await Promise.all(sent)
    return results
  }

  subscribe(queue: string, options: SubscribeOptions): Subscription {
    return this.#partOf(deadLettersOf(queue) ?? queue).subscribe(queue, options)
  }

  async close(): Promise<void> {
    await Promise.all([this.#work.close(), this.#control.close()])
  }

  /** Reply queues of others are named to nobody's `open`: their name says whose they are. */
  #partOf(queue: unknown): Broker {
    const named = this.#parts.get(queue as string)
    if (named !== undefined) return named
    return typeof queue === 'string' && queue.startsWith(CONTROL_PREFIX) ? this.#control : this.#work
  }
}

function isOfControl({ name, kind }: QueueSpec): boolean {
  return kind === 'fan' || (kind === 'reply' && name.startsWith(CONTROL_PREFIX))
}
