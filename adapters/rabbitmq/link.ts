import type { ChannelModel } from 'amqplib'
import type { BrokerEvent } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { MillraceError } from '../../lib/errors.ts'
import { type Address, linkName } from './address.ts'
import type { Connect } from './driver.ts'
import { failure, lost } from './failures.ts'
import { type LinkEffect, type LinkInput, type LinkState, NEW_LINK, step } from './link-state.ts'

/** What a connection is for. */
export interface LinkUser {
  /** Makes what has to be there before `begin`; a rejection means another try. */
  prepare(model: ChannelModel): Promise<void>
  begin(model: ChannelModel, link: string): void
  /** The connection is gone, and all that was made on it. */
  letGo(error: MillraceError): void
  blocked(reason: string, link: string): void
  unblocked(link: string): void
  /** Ends what there is in good order; the connection is ended after it. */
  finish(): Promise<void>
}

export interface LinkParts {
  /** The nodes of one cluster. */
  readonly addresses: readonly Address[]
  readonly heartbeatMs: number
  readonly connect: Connect
  readonly clock: Clock
  readonly tell: (event: BrokerEvent) => void
  readonly user: LinkUser
}

/** A handshake or a declaration that takes longer has failed. */
const PATIENCE_MS = 10_000
const GOODBYE_MS = 3_000

/** A connection that is made again whenever it is lost: does what `step` says, and tells it what happens. */
export class Link {
  readonly #parts: LinkParts
  #state: LinkState = NEW_LINK
  #model: ChannelModel | undefined
  #socket = new AbortController()
  #timer: Timer | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(parts: LinkParts) {
    this.#parts = parts
  }

  open(): void {
    this.#take({ type: 'open' })
  }

  /** Gives the connection up because it is no good any more, although nobody has said so. */
  suspect(error: MillraceError): void {
    if (this.#state.type === 'up' || this.#state.type === 'preparing') this.#fail(this.#state.attempt, error)
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#take({ type: 'close' })
    await this.#ended
  }

  #take(input: LinkInput): void {
    const { state, effects } = step(this.#state, input, this.#parts.addresses.length)
    this.#state = state
    for (const effect of effects) this.#do(effect)
  }

  #do(effect: LinkEffect): void {
    const { user, tell, clock } = this.#parts
    switch (effect.type) {
      case 'connect':
        return this.#connect(effect.attempt, effect.node)
      case 'prepare':
        return this.#prepare(effect.attempt)
      case 'wait':
        this.#timer = clock.setTimer(effect.delayMs, () => this.#take({ type: 'retry', attempt: effect.attempt }))
        return
      case 'stop-waiting':
        return this.#timer?.cancel()
      case 'drop':
        return this.#drop()
      case 'begin':
        return user.begin(this.#model as ChannelModel, this.#name(effect.node))
      case 'let-go':
        return user.letGo(effect.error)
      case 'tell-down':
        return tell({ type: 'down', link: this.#name(effect.node), error: effect.error, retryMs: effect.retryMs })
      case 'block':
        return user.blocked(effect.reason, this.#name(effect.node))
      case 'unblock':
        return user.unblocked(this.#name(effect.node))
      case 'hang-up':
        this.#ended = this.#hangUp()
        return
    }
  }

  #connect(attempt: number, node: number): void {
    const { connect, addresses, heartbeatMs } = this.#parts
    const socket = new AbortController()
    this.#socket = socket
    const timer = this.#failAfter(attempt, `connecting to ${this.#name(node)}`)
    connect(addresses[node] as Address, heartbeatMs, socket.signal)
      .finally(() => timer.cancel())
      .then(
        (model) => this.#connected(attempt, node, model, socket),
        (error: unknown) => this.#fail(attempt, failure(`cannot connect to ${this.#name(node)}`, error, addresses)),
      )
  }

  #connected(attempt: number, node: number, model: ChannelModel, socket: AbortController): void {
    const { addresses } = this.#parts
    let said: unknown
    model.on('error', (error) => {
      said = error
    })
    model.on('close', (error) => {
      // A socket that is half open would stay for as long as the other side does.
      socket.abort()
      this.#fail(
        attempt,
        failure(`the connection to ${this.#name(node)} was lost`, said ?? error ?? 'closed', addresses),
      )
    })
    model.on('blocked', (reason) => this.#take({ type: 'blocked', attempt, reason }))
    model.on('unblocked', () => this.#take({ type: 'unblocked', attempt }))
    if (socket.signal.aborted) return
    this.#model = model
    this.#take({ type: 'connected', attempt })
  }

  #prepare(attempt: number): void {
    const { user, clock, addresses } = this.#parts
    const timer = this.#failAfter(attempt, 'declaring queues')
    user
      .prepare(this.#model as ChannelModel)
      .finally(() => timer.cancel())
      .then(
        () => this.#take({ type: 'prepared', attempt, atMs: clock.monotonicMs() }),
        (error: unknown) => this.#fail(attempt, failure('cannot use the broker', error, addresses)),
      )
  }

  #failAfter(attempt: number, what: string): Timer {
    return this.#parts.clock.setTimer(PATIENCE_MS, () => this.#fail(attempt, lost(what, 'no answer in 10 s')))
  }

  #fail(attempt: number, error: MillraceError): void {
    this.#take({ type: 'failed', attempt, error, atMs: this.#parts.clock.monotonicMs(), roll: Math.random() })
  }

  #drop(): void {
    this.#model = undefined
    this.#socket.abort()
  }

  async #hangUp(): Promise<void> {
    const model = this.#model as ChannelModel
    const { signal } = this.#socket
    const gone = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    const timer = this.#parts.clock.setTimer(GOODBYE_MS, () => this.#socket.abort())
    const goodbye = async () => {
      await this.#parts.user.finish()
      await model.close()
    }
    try {
      // The driver answers neither of them where the connection is lost meanwhile.
      await Promise.race([goodbye(), gone])
    } catch {
      // Lost meanwhile: there is nobody left to say goodbye to.
    } finally {
      timer.cancel()
      this.#drop()
    }
  }

  #name(node: number): string {
    return linkName(this.#parts.addresses[node] as Address)
  }
}
