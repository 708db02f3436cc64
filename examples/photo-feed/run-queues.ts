import { randomBytes } from 'node:crypto'
import amqplib from 'amqplib'
import { deliver, share, thumbnail } from './tasks.ts'

/** Something of this run is still on the broker. */
export class QueuesLeft extends Error {}

const CONNECT_MS = 5_000
const DELAY_LEVELS = 28

/** The names that one run of the demo uses on a broker, and how they are taken away again. */
export class RunQueues {
  readonly prefix = `photo-feed-${randomBytes(4).toString('hex')}.`
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** To be called when all nodes have ended, which would make their queues anew. */
  async remove(nodes: readonly string[]): Promise<void> {
    try {
      await this.#delete(nodes)
    } catch (error) {
      throw new QueuesLeft(
        `the queues ${this.prefix}* are left on the broker: ${(error as Error).message}; delete them there`,
      )
    }
  }

  async #delete(nodes: readonly string[]): Promise<void> {
    const connection = await amqplib.connect(this.#url, { timeout: CONNECT_MS })
    try {
      const channel = await connection.createChannel()
      for (const name of this.#queues(nodes)) await channel.deleteQueue(this.prefix + name)
      for (const name of this.#exchanges()) await channel.deleteExchange(this.prefix + name)
    } finally {
      await connection.close()
    }
  }

  /** As docs/rabbitmq.md lists them; what is not there is as good as deleted. */
  #queues(nodes: readonly string[]): readonly string[] {
    const places = [thumbnail, deliver, share].map(({ place }) => place.name)
    return [
      ...places.flatMap((place) => [place, `${place}.dead`]),
      ...nodes.flatMap((node) => [`node.${node}`, `control.answers.${node}`, `control.kept.${node}`]),
      ...delays(),
    ]
  }

  #exchanges(): readonly string[] {
    return ['control', '_dead', '_due', ...delays()]
  }
}

function delays(): readonly string[] {
  return Array.from({ length: DELAY_LEVELS }, (_, level) => `_delay.${level}`)
}
