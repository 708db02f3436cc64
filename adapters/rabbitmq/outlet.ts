import type { ChannelModel, ConfirmChannel } from 'amqplib'
import type { Message, PublishResult, QueueSpec } from '../../lib/broker.ts'
import type { MillraceError } from '../../lib/errors.ts'
import type { ClusterParts } from './cluster.ts'
import { declare } from './declare.ts'
import { failure } from './failures.ts'
import { Link, type LinkUser } from './link.ts'
import { Publisher } from './publisher.ts'
import { declarations, delayDeclarations } from './topology.ts'

/** The connection that publishes, and nothing else: a broker that takes no messages stops it, and only it. */
export class Outlet implements LinkUser {
  readonly #parts: ClusterParts
  readonly #link: Link
  readonly #publisher: Publisher
  readonly #begun: Promise<void>
  #announce: () => void = () => {}
  #channel: ConfirmChannel | undefined
  #model: ChannelModel | undefined
  /** The levels of delays up to these are there, and are wanted. */
  #levels = { there: -1, wanted: -1 }

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.#link = new Link({ ...parts, heartbeatMs: parts.settings.heartbeatMs, user: this })
    this.#begun = new Promise((resolve) => {
      this.#announce = resolve
    })
    this.#publisher = new Publisher({
      ...parts,
      fans: namesOf(parts.specs, 'fan'),
      works: namesOf(parts.specs, 'work'),
      needLevel: (level) => this.#needLevel(level),
      suspect: (error) => this.#link.suspect(error),
    })
  }

  /** Resolves when it could publish for the first time. */
  async open(): Promise<void> {
    this.#link.open()
    await this.#begun
  }

  publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    return this.#publisher.publish(messages)
  }

  async close(error: MillraceError): Promise<void> {
    this.#publisher.letGo(error)
    await this.#link.close()
    this.#publisher.letGo(error)
  }

  async prepare(model: ChannelModel): Promise<void> {
    const { settings, specs } = this.#parts
    const { wanted } = this.#levels
    const delays = wanted < 0 ? [] : delayDeclarations(settings, wanted, specs)
    await declare(model, [...declarations(settings, specs), ...delays], settings)
    this.#levels = { there: wanted, wanted: Math.max(wanted, this.#levels.wanted) }
    const channel = await model.createConfirmChannel()
    let said: unknown = 'closed'
    channel.on('error', (error) => {
      said = error
    })
    channel.on('close', () => {
      const { addresses, clock } = this.#parts
      // Where the whole connection goes down it says why, a little later.
      clock.setImmediate(() => {
        if (this.#channel === channel) this.#link.suspect(failure('the publishing channel was lost', said, addresses))
      })
    })
    this.#channel = channel
  }

  begin(model: ChannelModel, link: string): void {
    this.#model = model
    this.#publisher.begin(this.#channel as ConfirmChannel)
    this.#parts.tell({ type: 'up', link })
    this.#announce()
  }

  letGo(error: MillraceError): void {
    this.#model = undefined
    this.#channel = undefined
    this.#publisher.letGo(error)
  }

  blocked(reason: string, link: string): void {
    this.#publisher.hold()
    this.#parts.tell({ type: 'blocked', link, reason })
  }

  unblocked(link: string): void {
    this.#publisher.release()
    this.#parts.tell({ type: 'unblocked', link })
  }

  async finish(): Promise<void> {
    const channel = this.#channel
    this.#channel = undefined
    await channel?.close()
  }

  #needLevel(level: number): 'there' | 'soon' {
    if (level <= this.#levels.there) return 'there'
    if (level <= this.#levels.wanted) return 'soon'
    this.#levels = { ...this.#levels, wanted: level }
    const model = this.#model
    if (model !== undefined) void this.#makeLevels(model, level)
    return 'soon'
  }

  async #makeLevels(model: ChannelModel, level: number): Promise<void> {
    const { settings, specs, addresses } = this.#parts
    try {
      await declare(model, delayDeclarations(settings, level, specs), settings)
      if (this.#model !== model) return
      this.#levels = { ...this.#levels, there: Math.max(level, this.#levels.there) }
      this.#publisher.pump()
    } catch (error) {
      if (this.#model === model) this.#link.suspect(failure('cannot make the queues of delays', error, addresses))
    }
  }
}

function namesOf(specs: readonly QueueSpec[], kind: QueueSpec['kind']): ReadonlySet<string> {
  return new Set(specs.filter((spec) => spec.kind === kind).map(({ name }) => name))
}
