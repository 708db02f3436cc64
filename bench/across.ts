import { setTimeout as sleep } from 'node:timers/promises'
import { rabbitmq } from '../adapters/rabbitmq/index.ts'
import type { RuntimeOptions } from '../runtime/config/config.ts'
import { createRuntime, type Runtime } from '../runtime/index.ts'
import { alternate, ratioFigure } from './alternate.ts'
import type { QueueKind } from './apart.ts'
import { AMQP_URL, AmqplibAlone, PREFETCH, WINDOW } from './amqplib-alone.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { median, rangeOf } from './figures.ts'
import { Scratch } from './scratch.ts'
import { inputs, publish, serviceOptions, succeeded } from './service.ts'
import { laneNoop } from './tasks.ts'

const LEAST = 0.7
const PUBLISHERS = 500
/** The lane of the task, so the queue that its jobs go to. */
const QUEUE = 'network'
/** Nobody listens there. */
const NOWHERE = 'amqp://127.0.0.1:1'
const LOOK_MS = 5

export const across: Bench = {
  name: 'across',
  about: 'jobs through the RabbitMQ at AMQP_URL: out of the journal, taken and run, against amqplib alone',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 20_000, quick: 4_000, once: 500 })
    const figures: Figure[] = []
    for (const kind of ['quorum', 'classic'] as const) {
      const prefix = `bench-${process.pid}-across-${kind}.`
      const connected = await AmqplibAlone.connect(prefix)
      if (connected === undefined) return []
      await using alone = connected
      await using nodes = await Nodes.start(prefix, kind, alone)
      const perSecond = (work: () => Promise<unknown>) => async () => {
        const startedAt = performance.now()
        await work()
        return (jobs / (performance.now() - startedAt)) * 1_000
      }
      const sent = await alternate(
        scale,
        async () => {
          await alone.purge(QUEUE)
          return await perSecond(() => alone.publish(QUEUE, jobs))()
        },
        async () => {
          await alone.purge(QUEUE)
          return await perSecond(() => nodes.send(jobs))()
        },
      )
      figures.push(
        ratioFigure(`jobs out of the journal, confirmed, ${kind}`, 'jobs/s', sent, {
          name: 'amqplib',
          least: LEAST,
          note: `enqueueMany until all stand in the queue; amqplib with a window of ${WINDOW}`,
        }),
      )
      await alone.purge(QUEUE)
      const taken = await alternate(
        scale,
        async () => {
          await alone.publish(QUEUE, jobs)
          return await perSecond(() => alone.consume(QUEUE, jobs))()
        },
        async () => {
          await nodes.fill(jobs)
          const rate = await perSecond(() => nodes.run(jobs))()
          await nodes.rest()
          return rate
        },
      )
      figures.push(
        ratioFigure(`jobs taken, run, settled and acknowledged, ${kind}`, 'jobs/s', taken, {
          name: 'amqplib',
          least: LEAST,
          note: `no-ops on a lane, outcomes sent to the queue of a node that is away; amqplib consumes and acks with a prefetch of ${PREFETCH}`,
        }),
      )
      const through: number[] = []
      nodes.resume()
      for (let run = 0; run < sent.subject.length; run++) through.push(await perSecond(() => nodes.through(jobs))())
      figures.push({
        what: `jobs through the broker and home, one process, ${kind}`,
        unit: 'jobs/s',
        value: median(through),
        runs: through.length,
        range: rangeOf(through),
      })
    }
    return [...figures, await withoutBroker(scale, jobs * 5)]
  },
}

/** One node that only publishes, and one that does both, on one broker; the second takes nothing until it is told to. */
class Nodes implements AsyncDisposable {
  readonly #publisher: Runtime
  readonly #worker: Runtime
  readonly #alone: AmqplibAlone
  readonly #scratch: Scratch
  readonly #options: (name: string) => RuntimeOptions
  /** Publishers that were there for a while. */
  readonly #gone: { readonly node: string }[] = []

  private constructor(
    publisher: Runtime,
    worker: Runtime,
    { alone, scratch, options }: { alone: AmqplibAlone; scratch: Scratch; options: (name: string) => RuntimeOptions },
  ) {
    this.#publisher = publisher
    this.#worker = worker
    this.#alone = alone
    this.#scratch = scratch
    this.#options = options
  }

  static async start(prefix: string, queues: QueueKind, alone: AmqplibAlone): Promise<Nodes> {
    const scratch = new Scratch()
    const broker = () => rabbitmq({ urls: AMQP_URL, prefix, queues, window: WINDOW })
    const options = (name: string) => serviceOptions(scratch.file(name), { broker: broker() })
    const worker = await createRuntime(options('worker.db'))
    await worker.pause({ place: QUEUE })
    const publisher = await createRuntime({ ...options('publisher.db'), role: 'publisher' })
    while (!(await alone.stands(QUEUE))) await sleep(LOOK_MS)
    return new Nodes(publisher, worker, { alone, scratch, options })
  }

  /** Resolves when all stand in the queue. */
  async send(jobs: number, publisher = this.#publisher): Promise<void> {
    await publisher.enqueueMany(laneNoop, inputs(jobs))
    while ((await this.#alone.waiting(QUEUE)) < jobs) await sleep(LOOK_MS)
  }

  /** The same, by a node that is gone then: what is done with outcomes that have come home is another machine's work. */
  async fill(jobs: number): Promise<void> {
    const options = this.#options(`publisher-${this.#gone.length}.db`)
    const publisher = await createRuntime({ ...options, role: 'publisher' })
    await this.send(jobs, publisher)
    this.#gone.push(...publisher.nodes())
    await publisher.stop({ graceMs: 0 })
  }

  /** Resolves when so many that stand in the queue have run here, and the journal has it. */
  async run(jobs: number): Promise<void> {
    const ran = succeeded(this.#worker, jobs)
    await this.#worker.resume({ place: QUEUE })
    await ran
  }

  /** Resolves when nothing more is taken. */
  async rest(): Promise<void> {
    await this.#worker.pause({ place: QUEUE })
    while ((await this.#alone.consumers(QUEUE)) > 0) await sleep(LOOK_MS)
  }

  resume(): void {
    void this.#worker.resume({ place: QUEUE })
  }

  /** From callers who wait for each commit to outcomes that have come home. */
  async through(jobs: number): Promise<void> {
    const home = succeeded(this.#worker, jobs)
    await publish(this.#worker, laneNoop, jobs, PUBLISHERS)
    await home
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // In a short run neither has heard of the other.
    const nodes = [...this.#gone, ...this.#publisher.nodes(), ...this.#worker.nodes()]
    await Promise.all([this.#publisher.stop({ graceMs: 0 }), this.#worker.stop({ graceMs: 0 })])
    await this.#alone.deleteNodes([QUEUE, 'default'], nodes)
    this.#scratch[Symbol.dispose]()
  }
}

/** What callers wait for is the journal: that no broker is there shall cost them nothing. */
async function withoutBroker(scale: Parameters<Bench['run']>[0], jobs: number): Promise<Figure> {
  using scratch = new Scratch()
  const role = 'publisher' as const
  await using down = await createRuntime(
    serviceOptions(scratch.file('down.db'), { role, broker: rabbitmq({ urls: NOWHERE }) }),
  )
  await using without = await createRuntime(serviceOptions(scratch.file('without.db'), { lanes: { network: {} } }))
  await without.pause({ place: QUEUE })
  const rate = (runtime: Runtime) => async () => {
    const startedAt = performance.now()
    await publish(runtime, laneNoop, jobs, PUBLISHERS)
    return (jobs / (performance.now() - startedAt)) * 1_000
  }
  const measured = await alternate(scale, rate(without), rate(down))
  return ratioFigure('enqueue while the broker is down', 'jobs/s', measured, {
    name: 'without a broker',
    least: 0.9,
    note: `${PUBLISHERS} callers that wait for each commit; their jobs gather in the journal on both sides`,
  })
}
