/** Argument: the journal. From `createRuntime` to the first job that is done, in a process that has done nothing else. */
import { createRuntime } from '../../runtime/index.ts'
import { answerParent } from '../child.ts'
import { INPUT } from '../payload.ts'
import { serviceOptions } from '../service.ts'
import { noop } from '../tasks.ts'

const [file = ''] = process.argv.slice(2)
const startedAt = performance.now()
const runtime = await createRuntime(serviceOptions(file))
const openedAt = performance.now()
const job = await runtime.enqueue(noop, INPUT)
await job.result()
const doneAt = performance.now()
await runtime.stop()
answerParent({
  openedMs: openedAt - startedAt,
  firstJobMs: doneAt - startedAt,
  sinceProcessMs: doneAt,
} satisfies ColdChild)

export interface ColdChild {
  readonly openedMs: number
  readonly firstJobMs: number
  /** From the start of the process, imports included. */
  readonly sinceProcessMs: number
}
