import { Bench as Tinybench, type Task } from 'tinybench'
import { type Bench, type Figure, pick } from './bench.ts'
import type { MicroCase } from './micro/case.ts'
import { payloadCases } from './micro/payload.bench.ts'
import { queueCases } from './micro/queues.bench.ts'
import { retryCases } from './micro/retry.bench.ts'
import { slotWordCases } from './micro/slot-word.bench.ts'
import { storeCases } from './micro/store.bench.ts'

const CASES: readonly MicroCase[] = [...payloadCases, ...retryCases, ...queueCases, ...slotWordCases, ...storeCases]

export const micro: Bench = {
  name: 'micro',
  about: 'codec, retry delay, mailbox, ring, slot word, store: one operation, by tinybench',
  async run(scale): Promise<readonly Figure[]> {
    const time = pick(scale, { full: 500, quick: 60, once: 1 })
    const tinybench = new Tinybench({
      time,
      warmupTime: time / 2,
      iterations: 3,
      warmupIterations: 1,
      throws: true,
    })
    for (const each of CASES) tinybench.add(each.what, () => each.run())
    const tasks = await tinybench.run()
    return CASES.map((each, at) => figureOf(each, tasks[at] as Task))
  },
}

function figureOf({ what, times, mostMicros }: MicroCase, { result }: Task): Figure {
  if (result.state !== 'completed') throw new Error(`${what} was not measured; its state is ${result.state}`)
  const { latency } = result
  const micros = (ms: number) => (ms * 1_000) / times
  const value = micros(latency.p50)
  return {
    what,
    unit: 'µs',
    value,
    runs: latency.samplesCount,
    range: { low: micros(latency.min), high: micros(latency.p99) },
    ...(mostMicros !== undefined && {
      target: { text: `<= ${mostMicros} µs`, verdict: value <= mostMicros ? 'ok' : 'below' },
    }),
  }
}
