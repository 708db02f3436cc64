import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { cli, scratch, tasksModule } from '../../helpers/cli.ts'
import { readOutcomes } from '../../helpers/outcomes.ts'

const MODULE = `
import { threadId } from 'node:worker_threads'
export const quick = m.defineTask({ name: 'on.fast', tier: 'fast', run: () => undefined })
export const busy = m.defineTask({
  name: 'on.default',
  run() {
    for (const until = performance.now() + 10; performance.now() < until; );
    return threadId
  },
})`

describe('the places of millrace run', () => {
  it('keep the task on its threads, however quick it is', async (test) => {
    const folder = scratch(test)
    const [input, output, journal] = ['in', 'out', 'jobs.db'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    writeFileSync(input, '1\n'.repeat(300))
    const files = ['--input', input, '--output', output, '--journal', journal]
    const { code, err } = await cli(['run', tasksModule(folder, MODULE), 'on.default', ...files, '--threads', '2'])
    assert.equal(code, 0, err)
    // Without that it would be on the one thread of the tier fast after its first 50 runs.
    const last = readOutcomes(output).slice(-100)
    assert.equal(new Set(last.map(({ result }) => result)).size, 2)
  })
})
