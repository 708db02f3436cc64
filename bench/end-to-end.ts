import { alternate, ratioFigure } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { Ceiling } from './ceiling.ts'
import { elapsedMs, type PlainTask, publish, Service } from './service.ts'
import { laneNoop, noop, twenty } from './tasks.ts'

const ROWS: readonly { readonly what: string; readonly task: PlainTask; readonly least: number }[] = [
  { what: 'end to end, tier of 2 threads', task: noop, least: 0.2 },
  { what: 'end to end, lane', task: laneNoop, least: 0.2 },
  { what: 'end to end, tier, 20-byte result', task: twenty, least: 0.15 },
]

const PUBLISHERS = [500, 5_000]

export const endToEnd: Bench = {
  name: 'end-to-end',
  about: 'enqueue, commit, run, settle commit: 500 and 5,000 publishers, each awaiting its job, until all is settled',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 60_000, quick: 3_000, once: 1_000 })
    const figures: Figure[] = []
    for (const { what, task, least } of ROWS) {
      await using service = await Service.start()
      using raw = new Ceiling()
      const { runtime } = service
      for (const publishers of PUBLISHERS) {
        const settleAll = async () => {
          await publish(runtime, task, jobs, publishers)
          await runtime.idle()
        }
        const measured = await alternate(
          scale,
          () => raw.cycles(jobs),
          async () => (jobs / (await elapsedMs(settleAll))) * 1_000,
        )
        const name = `${what}, ${publishers} publishers`
        figures.push(ratioFigure(name, 'jobs/s', measured, { name: 'ceiling', least }))
      }
    }
    return figures
  },
}
