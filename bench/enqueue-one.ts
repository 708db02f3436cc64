import { alternate, ratioFigure } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { Ceiling } from './ceiling.ts'
import { elapsedMs, type PlainTask, publish, Service } from './service.ts'
import { noop, parked } from './tasks.ts'

const ROWS: readonly { readonly what: string; readonly task: PlainTask; readonly note: string }[] = [
  { what: 'one enqueue after another', task: parked, note: 'the job waits: one commit each' },
  { what: 'one enqueue after another, run at once', task: noop, note: 'settle commits come between' },
]

export const enqueueOne: Bench = {
  name: 'enqueue-one',
  about: 'one enqueue after another, each awaited, against raw commits of a single row',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 1_000, quick: 200, once: 20 })
    await using service = await Service.start()
    using raw = new Ceiling()
    const { runtime } = service
    const figures: Figure[] = []
    for (const { what, task, note } of ROWS) {
      const measured = await alternate(
        scale,
        () => perSecond(raw.singleCommits(jobs)),
        async () => (jobs / (await elapsedMs(() => publish(runtime, task, jobs, 1)))) * 1_000,
      )
      figures.push(ratioFigure(what, 'jobs/s', measured, { name: 'single-row commits', least: 0.45, note }))
    }
    return figures
  },
}

function perSecond(durationsMs: readonly number[]): number {
  return (durationsMs.length / durationsMs.reduce((sum, ms) => sum + ms, 0)) * 1_000
}
