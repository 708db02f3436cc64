import { alternate, ratioFigure } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { Ceiling } from './ceiling.ts'
import { elapsedMs, inputs, Service } from './service.ts'
import { parked } from './tasks.ts'

export const enqueueMany: Bench = {
  name: 'enqueue-many',
  about: 'enqueueMany of jobs that wait, against raw inserts alone; both tables grow alike',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 100_000, quick: 20_000, once: 1_000 })
    await using service = await Service.start()
    using raw = new Ceiling()
    const { runtime } = service
    const measured = await alternate(
      scale,
      () => raw.inserts(jobs),
      async () => (jobs / (await elapsedMs(() => runtime.enqueueMany(parked, inputs(jobs))))) * 1_000,
    )
    return [ratioFigure('enqueueMany', 'jobs/s', measured, { name: 'inserts alone', least: 0.35 })]
  },
}
