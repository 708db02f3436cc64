/** Arguments: the journal, how many jobs wait in it. Opens it, runs a job, looks at the memory. */
import { createRuntime } from '../../runtime/index.ts'
import { answerParent } from '../child.ts'
import { INPUT } from '../payload.ts'
import { serviceOptions } from '../service.ts'
import { nap } from '../tasks.ts'

const LOOKS = 10
const LOOK_EVERY_MS = 50
const MB = 1_000_000

const [file = ''] = process.argv.slice(2)
const startedAt = performance.now()
const opening = createRuntime(serviceOptions(file))
const runtime = await opening
const openedMs = performance.now() - startedAt
const first = new Promise<number>((resolve) => {
  runtime.once('job.succeeded', () => resolve(performance.now() - startedAt))
})
if (process.argv[3] === '0') await runtime.enqueue(nap, INPUT)
const firstJobMs = await first
let rss = 0
for (let look = 0; look < LOOKS; look++) {
  await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  rss = Math.max(rss, process.memoryUsage.rss())
}
await runtime.stop({ graceMs: 0 })
answerParent({ openedMs, firstJobMs, rssMb: rss / MB } satisfies BacklogChild)

export interface BacklogChild {
  readonly openedMs: number
  readonly firstJobMs: number
  /** The most that was seen in half a second. */
  readonly rssMb: number
}
