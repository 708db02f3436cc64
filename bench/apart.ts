import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { rabbitmq } from '../adapters/rabbitmq/index.ts'
import { createRuntime, type Runtime } from '../runtime/index.ts'
import { siblingUrl } from '../runtime/sibling-url.ts'
import { AMQP_URL, type AmqplibAlone, WINDOW } from './amqplib-alone.ts'
import { LineProcess } from './line-process.ts'
import { Scratch } from './scratch.ts'
import { elapsedMs, type PlainTask, publish, serviceOptions, succeeded } from './service.ts'
import { noop } from './tasks.ts'

export type QueueKind = 'quorum' | 'classic'

const LOOK_MS = 20
const QUEUES = ['default', 'network']

/** A node that publishes here, and one that works in a process of its own: all that they share is the broker. */
export class Apart implements AsyncDisposable {
  readonly #publisher: Runtime
  readonly #worker: LineProcess
  readonly #alone: AmqplibAlone
  readonly #scratch: Scratch

  private constructor(publisher: Runtime, worker: LineProcess, alone: AmqplibAlone, scratch: Scratch) {
    this.#publisher = publisher
    this.#worker = worker
    this.#alone = alone
    this.#scratch = scratch
  }

  /** Resolves when a job has gone all the way. `alone` takes the queues away in the end. */
  static async start(queues: QueueKind, alone: AmqplibAlone): Promise<Apart> {
    const scratch = new Scratch()
    const { prefix } = alone
    const worker = await LineProcess.start(process.execPath, [
      fileURLToPath(siblingUrl('./children/worker', import.meta.url)),
      prefix,
      queues,
      scratch.file('worker.db'),
    ])
    const broker = rabbitmq({ urls: AMQP_URL, prefix, queues, window: WINDOW })
    const publisher = await createRuntime(serviceOptions(scratch.file('publisher.db'), { role: 'publisher', broker }))
    const apart = new Apart(publisher, worker, alone, scratch)
    await apart.through(noop, 1, 1)
    // Whose queues nobody knows stay on the broker.
    while (publisher.nodes().length < 2) await sleep(LOOK_MS)
    return apart
  }

  /** Milliseconds from the first call, of callers who wait for each commit, until the last outcome has come home. */
  through(task: PlainTask, jobs: number, callers: number): Promise<number> {
    return elapsedMs(async () => {
      const home = succeeded(this.#publisher, jobs)
      await publish(this.#publisher, task, jobs, callers)
      await home
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const nodes = this.#publisher.nodes()
    await this.#publisher.stop({ graceMs: 0 })
    await this.#worker[Symbol.asyncDispose]()
    await this.#alone.deleteNodes(QUEUES, nodes)
    this.#scratch[Symbol.dispose]()
  }
}
