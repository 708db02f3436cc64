import { alternate, ratioFigure } from './alternate.ts'
import { AmqplibAlone } from './amqplib-alone.ts'
import { Apart, type QueueKind } from './apart.ts'
import { type Bench, type Figure, pick, type Scale } from './bench.ts'
import { bestWay, inWords } from './celery/best-way.ts'
import { type CeleryTask, findCelery, Prefork, type Python, type Way } from './celery/prefork.ts'
import { Scratch } from './scratch.ts'
import { type PlainTask } from './service.ts'
import { busy, noop, waiting } from './tasks.ts'

const CALLERS = 500
const LEAST = 3
const KINDS: Readonly<Record<Scale, readonly QueueKind[]>> = {
  full: ['classic', 'quorum'],
  quick: ['classic', 'quorum'],
  once: ['quorum'],
}

/** The same work on both sides. */
interface Work {
  readonly what: string
  readonly ours: PlainTask
  readonly theirs: CeleryTask
  readonly jobs: Readonly<Record<Scale, number>>
  /** The ratio that is wanted. */
  readonly least?: number
  readonly note?: string
}

const NO_OPS: Work = {
  what: 'jobs to another process and home',
  ours: noop,
  theirs: 'noop',
  jobs: { full: 10_000, quick: 1_000, once: 200 },
  least: LEAST,
}

/** They say how much of it is left where jobs do something; on one kind of queue that is enough. */
const OTHERS: readonly Work[] = [
  {
    what: 'the same, 1 ms of a processor each',
    ours: busy,
    theirs: 'busy',
    jobs: { full: 2_000, quick: 500, once: 50 },
  },
  {
    what: 'the same, 10 ms of waiting each',
    ours: waiting,
    theirs: 'waiting',
    jobs: { full: 500, quick: 200, once: 20 },
    note: 'on a lane of 1,000; prefork waits in two processes',
  },
]

export const celery: Bench = {
  name: 'celery',
  about: "jobs through the RabbitMQ at AMQP_URL to another process and home, against Celery's prefork pool",
  async run(scale): Promise<readonly Figure[]> {
    const python = findCelery()
    if (python === undefined) return []
    const connected = await AmqplibAlone.connect(`bench-${process.pid}-celery.`)
    if (connected === undefined) return []
    await using alone = connected
    try {
      return await measure(scale, python, alone)
    } finally {
      await alone.deleteQueues([Prefork.queue])
      await alone.deleteExchanges([Prefork.queue])
    }
  },
}

async function measure(scale: Scale, python: Python, alone: AmqplibAlone): Promise<readonly Figure[]> {
  using scratch = new Scratch()
  const start = (way: Way) => Prefork.start(python, way, alone.prefix, scratch.directory)
  const { way, tried } = await bestWay(scale, start)
  if (tried !== '') process.stderr.write(`${tried}\n`)
  const figures: Figure[] = []
  for (const kind of pick(scale, KINDS)) {
    await using peer = await start(way)
    await using apart = await Apart.start(kind, alone)
    for (const work of kind === 'quorum' && scale !== 'once' ? [NO_OPS, ...OTHERS] : [NO_OPS]) {
      const { what, ours, theirs, least, note } = work
      const jobs = pick(scale, work.jobs)
      const measured = await alternate(
        scale,
        async () => (jobs / (await peer.run(theirs, jobs))) * 1_000,
        async () => (jobs / (await apart.through(ours, jobs, CALLERS))) * 1_000,
      )
      const notes = [note, `Celery ${python.version}, RabbitMQ ${alone.version}: ${inWords(way)}`]
      figures.push(
        ratioFigure(`${what}, ${kind}`, 'jobs/s', measured, {
          name: 'Celery',
          ...(least !== undefined && { least }),
          note: notes.filter((each) => each !== undefined).join('; '),
        }),
      )
    }
  }
  return figures
}
