import { RabbitServer, type Settings } from '../helpers/rabbitmq.ts'

/**
 * What expires while its next queue has no leader, as right after a restart, is dead-lettered again only when the confirm
 * has been waited for: three minutes by default (docs/rabbitmq.md).
 */
const SETTINGS: Settings = { dead_letter_worker_publisher_confirm_timeout: 5_000 }

/** A private broker, or the nodes of a private cluster, which are killed in turn. */
export class Brokers implements AsyncDisposable {
  readonly #servers: readonly RabbitServer[]
  #next = 0

  private constructor(servers: readonly RabbitServer[]) {
    this.#servers = servers
  }

  static async start(count: number): Promise<Brokers> {
    return new Brokers(
      count === 1 ? [await RabbitServer.start(SETTINGS)] : await RabbitServer.startCluster(count, SETTINGS),
    )
  }

  /** As nodes of ours are told of them: one cluster. */
  get urls(): readonly (readonly string[])[] {
    return [this.#servers.map(({ url }) => url)]
  }

  /** Resolves to the name of the dead one, and to how it is started again. */
  async kill(): Promise<{ readonly name: string; readonly startAgain: () => Promise<void> }> {
    const at = this.#next++ % this.#servers.length
    const server = this.#servers[at] as RabbitServer
    await server.kill()
    return { name: `broker${at}`, startAgain: () => server.start() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server[Symbol.asyncDispose]()
  }
}
