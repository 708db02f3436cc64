import { atMost, type Bench, type Figure, pick } from './bench.ts'
import { inChild } from './child.ts'
import type { BacklogChild } from './children/backlog.ts'
import { median, rangeOf } from './figures.ts'
import { Scratch } from './scratch.ts'

const MOST_MB = 64
const MOST_MS = 1_000

export const backlog: Bench = {
  name: 'backlog',
  about: '1,000,000 waiting jobs: memory above an empty runtime, and the time to the first job',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 1_000_000, quick: 50_000, once: 2_000 })
    const runs = pick(scale, { full: 5, quick: 1, once: 1 })
    using scratch = new Scratch()
    const file = scratch.file('jobs.db')
    const filled = await inChild<number>('fill', [file, String(jobs)])
    if (filled !== jobs) throw new Error(`the backlog is not there; got ${filled} jobs, expected ${jobs}`)
    const above: number[] = []
    const first: number[] = []
    for (let run = 0; run < runs; run++) {
      const empty = await inChild<BacklogChild>('backlog', [scratch.file(`empty-${run}.db`), '0'])
      const full = await inChild<BacklogChild>('backlog', [file, String(jobs)])
      above.push(full.rssMb - empty.rssMb)
      first.push(full.firstJobMs)
    }
    const count = jobs.toLocaleString('en')
    return [
      {
        what: `${count} waiting jobs, resident memory above an empty runtime`,
        unit: 'MB',
        value: median(above),
        runs,
        range: rangeOf(above),
        target: atMost(median(above), MOST_MB, 'MB'),
      },
      {
        what: `${count} waiting jobs, open + first job`,
        unit: 'ms',
        value: median(first),
        runs,
        range: rangeOf(first),
        target: atMost(median(first), MOST_MS, 'ms'),
        note: 'the job itself takes 50 ms of it',
      },
    ]
  },
}
