import { alternate, ratioFigure } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { board } from './board.ts'
import { Ceiling } from './ceiling.ts'
import { elapsedMs, inputs, Service } from './service.ts'
import { gate, laneGate, laneNoop, noop } from './tasks.ts'

const LANE_SLOTS = 1_000

const ROWS = [
  { what: 'drain, tier of 2 threads', task: noop, block: gate, slots: 2 },
  { what: 'drain, lane', task: laneNoop, block: laneGate, slots: LANE_SLOTS },
] as const

/** Every slot is held by a gate while the backlog is written: when the clock starts it waits, the first of it in the hand. */
export const drain: Bench = {
  name: 'drain',
  about: '200,000 jobs that wait in the journal: claimed, run, settled',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 200_000, quick: 10_000, once: 2_000 })
    const figures: Figure[] = []
    for (const { what, task, block, slots } of ROWS) {
      await using service = await Service.start({ lanes: { network: { concurrency: LANE_SLOTS } } })
      using raw = new Ceiling()
      const { runtime } = service
      const drained = async () => {
        board.set('gate', 0)
        await runtime.enqueueMany(block, inputs(slots))
        await runtime.enqueueMany(task, inputs(jobs))
        const ms = await elapsedMs(() => {
          board.set('gate', 1)
          return runtime.idle()
        })
        return (jobs / ms) * 1_000
      }
      const measured = await alternate(scale, () => raw.cycles(jobs), drained)
      figures.push(
        ratioFigure(`${what}, ${jobs.toLocaleString('en')} waiting`, 'jobs/s', measured, {
          name: 'ceiling',
          least: 0.15,
          note: 'up to 4,096 of them stand in the hand when the clock starts',
        }),
      )
    }
    return figures
  },
}
