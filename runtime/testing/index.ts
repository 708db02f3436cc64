/** Testing kit: a runtime in memory, with the real journal and codec and a clock that only a test moves. */
export { fakeContext, type FakeChild, type FakeContext, type FakeContextOptions } from './fake-context.ts'
export { perform } from './perform.ts'
export {
  testRuntime,
  type DrainOptions,
  type EnqueuedJob,
  type PartOf,
  type TestRuntime,
  type TestRuntimeOptions,
} from './test-runtime.ts'
export type { TestTasks } from './test-tasks.ts'
export type { AbortReason } from '../places/thread-protocol.ts'
export type { JobExtra } from '../../lib/job.ts'
