import { join } from 'node:path'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../runtime/index.ts'
import { scratchFolder } from './scratch.ts'

export const fixtureTasks = new URL('../fixtures/tasks.js', import.meta.url)

interface Test {
  after(clean: () => unknown): unknown
}

/** A runtime on a journal in a folder of its own, with the tasks of the fixtures; it is stopped when the test is over. */
export async function startRuntime(test: Test, options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await createRuntime({
    tasks: fixtureTasks,
    journal: { file: join(scratchFolder(), 'jobs.db') },
    tiers: { default: { threads: 2 }, small: { threads: 1, maxHeapMb: 32 } },
    lanes: { network: { concurrency: 100 } },
    ...options,
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  return runtime
}
