import { alternate, ratioFigure } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { Ceiling } from './ceiling.ts'
import { CeilingThread } from './ceiling-thread.ts'
import { elapsedMs, type PlainTask, publish, Service } from './service.ts'
import { noop, parked } from './tasks.ts'

/**
 * Until the logs have the size that they keep, since a commit that makes its log longer also waits for what the file system
 * notes of that, which doubles it; and until V8 has compiled what a call passes through on both threads, which it does after
 * some 5,000: this is about a service that has been running for a while.
 */
const UNTIL_GROWN = { inserts: 100_000, enqueues: 800 }
const UNTIL_COMPILED = 6_000

const ROWS: readonly { readonly what: string; readonly task: PlainTask; readonly note: string }[] = [
  { what: 'one enqueue after another', task: parked, note: 'the job waits: one commit each' },
  { what: 'one enqueue after another, run at once', task: noop, note: 'its outcome goes with the next enqueue' },
]

export const enqueueOne: Bench = {
  name: 'enqueue-one',
  about: 'one enqueue after another, each awaited, against raw commits of a single row',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 1_000, quick: 200, once: 20 })
    await using service = await Service.start()
    using raw = new Ceiling()
    await using thread = new CeilingThread()
    const { runtime } = service
    if (scale !== 'once') {
      raw.inserts(UNTIL_GROWN.inserts)
      await thread.inserts(UNTIL_GROWN.inserts)
      const enqueues = scale === 'full' ? UNTIL_COMPILED : UNTIL_GROWN.enqueues
      for (const { task } of ROWS) await publish(runtime, task, enqueues, 1)
    }
    const single = () => perSecond(raw.singleCommits(jobs))
    const asked = await alternate(scale, single, () => thread.singleCommits(jobs))
    const name = 'single-row commits'
    const figures: Figure[] = [
      ratioFigure('the same commits, asked of a thread one after another', 'jobs/s', asked, { name }),
    ]
    for (const { what, task, note } of ROWS) {
      const measured = await alternate(
        scale,
        single,
        async () => (jobs / (await elapsedMs(() => publish(runtime, task, jobs, 1)))) * 1_000,
      )
      figures.push(ratioFigure(what, 'jobs/s', measured, { name, least: 0.45, note }))
    }
    return figures
  },
}

function perSecond(durationsMs: readonly number[]): number {
  return (durationsMs.length / durationsMs.reduce((sum, ms) => sum + ms, 0)) * 1_000
}
