import { atMost, type Bench, type Figure, pick } from './bench.ts'
import { inChild } from './child.ts'
import type { ColdChild } from './children/cold.ts'
import { median, rangeOf } from './figures.ts'
import { Scratch } from './scratch.ts'

const MOST_MS = 400

export const cold: Bench = {
  name: 'cold',
  about: 'createRuntime to first job done, each in a new process on a new journal',
  async run(scale): Promise<readonly Figure[]> {
    const runs = pick(scale, { full: 15, quick: 2, once: 1 })
    using scratch = new Scratch()
    const measured: ColdChild[] = []
    for (let run = 0; run < runs; run++) measured.push(await inChild<ColdChild>('cold', [scratch.file(`${run}.db`)]))
    const done = measured.map(({ firstJobMs }) => firstJobMs)
    const opened = measured.map(({ openedMs }) => openedMs)
    const whole = measured.map(({ sinceProcessMs }) => sinceProcessMs)
    return [
      {
        what: 'createRuntime to first job done, cold process',
        unit: 'ms',
        value: median(done),
        runs,
        range: rangeOf(done),
        target: atMost(median(done), MOST_MS, 'ms'),
      },
      { what: 'of it createRuntime', unit: 'ms', value: median(opened), runs, range: rangeOf(opened) },
      { what: 'start of the process to first job done', unit: 'ms', value: median(whole), runs, range: rangeOf(whole) },
    ]
  },
}
