import { join } from 'node:path'
import type { Broker } from '../../lib/broker.ts'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../runtime/index.ts'
import { scratchFolder } from './scratch.ts'

const acrossTasks = new URL('../fixtures/across-tasks.js', import.meta.url)

interface Test {
  after(clean: () => unknown): unknown
}

export interface Node {
  readonly runtime: Runtime
  readonly file: string
}

/** One of several nodes that share a broker, with its handlers on the loop of the test; stopped when the test is over. */
export async function bootNode(test: Test, broker: Broker, options: Partial<RuntimeOptions> = {}): Promise<Node> {
  const file = options.journal?.file ?? join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime({
    tasks: acrossTasks,
    journal: { file },
    tiers: {},
    lanes: { loop: { concurrency: 20 } },
    broker,
    ...options,
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  return { runtime, file }
}
