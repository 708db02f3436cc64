import type { Channel, ChannelModel } from 'amqplib'
import type { Clock, Timer } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Session } from './session.ts'

/** A queue that is taken from. */
export interface Watched {
  readonly queue: string
  /** Its name on the broker. */
  readonly brokerName: string
  /** Undefined while nothing is taken, or where nothing can be counted. */
  readonly session: Session | undefined
}

export interface SilenceParts {
  readonly clock: Clock
  readonly everyMs: number
  readonly watched: () => Iterable<Watched>
  /** A queue was not empty, there was room, and twice in a row nothing had come. */
  readonly silent: (queue: Watched, error: MillraceError) => void
}

/**
 * Looks whether what is taken from has gone silent: a broker or a client that has lost a consumer tells nobody, and jobs
 * would wait for ever. Only a queue from which nothing came since the last look is asked for its length.
 */
export class SilenceWatch {
  readonly #parts: SilenceParts
  #timer: Timer | undefined
  #channel: Channel | undefined
  #arrived = new WeakMap<Session, number>()
  #suspects = new WeakSet<Session>()

  constructor(parts: SilenceParts) {
    this.#parts = parts
  }

  start(model: ChannelModel): void {
    this.#plan(model)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#channel = undefined
  }

  #plan(model: ChannelModel): void {
    const timer = this.#parts.clock.setTimer(this.#parts.everyMs, () => {
      void this.#look(model).then(() => {
        if (this.#timer === timer) this.#plan(model)
      })
    })
    timer.unref()
    this.#timer = timer
  }

  async #look(model: ChannelModel): Promise<void> {
    for (const watched of this.#parts.watched()) {
      const { session } = watched
      if (session === undefined) continue
      const isQuiet = session.hasRoom && this.#arrived.get(session) === session.arrived
      this.#arrived.set(session, session.arrived)
      if (!isQuiet || !(await this.#hasBacklog(model, watched)) || session.arrived !== this.#arrived.get(session)) {
        this.#suspects.delete(session)
      } else if (this.#suspects.has(session)) {
        this.#parts.silent(watched, silence(watched.queue, 2 * this.#parts.everyMs))
      } else this.#suspects.add(session)
    }
  }

  async #hasBacklog(model: ChannelModel, { brokerName }: Watched): Promise<boolean> {
    try {
      this.#channel ??= await this.#newChannel(model)
      const { messageCount } = await this.#channel.checkQueue(brokerName)
      return messageCount > 0
    } catch {
      // A queue that is gone, or a connection: both are told by others.
      this.#channel = undefined
      return false
    }
  }

  async #newChannel(model: ChannelModel): Promise<Channel> {
    const channel = await model.createChannel()
    channel.on('error', () => {})
    channel.on('close', () => {
      this.#channel = undefined
    })
    return channel
  }
}

function silence(queue: string, ms: number): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_SILENT',
    `the queue ${queue} is not empty, there is room, and nothing has come in ${ms} ms; the connection is made anew`,
  )
}
