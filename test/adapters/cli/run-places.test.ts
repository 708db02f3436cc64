import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cli, scratch, tasksModule } from '../../helpers/cli.ts'
import { assertEachOnce, readOutcomes } from '../../helpers/outcomes.ts'

function setUp(test: TestContext, lines: number, exports: string) {
  const folder = scratch(test)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('in'), Array.from({ length: lines }, (_, n) => `${n}\n`).join(''))
  const files = ['--input', at('in'), '--output', at('out'), '--journal', at('jobs.db')]
  return { output: at('out'), module: tasksModule(folder, exports), files }
}

describe('the places of millrace run', () => {
  it('keep the task on its threads, however quick it is', async (test) => {
    const { module, files, output } = setUp(
      test,
      300,
      `import { threadId } from 'node:worker_threads'
      export const quick = m.defineTask({ name: 'on.fast', tier: 'fast', run: () => undefined })
      export const busy = m.defineTask({
        name: 'on.default',
        run() {
          for (const until = performance.now() + 10; performance.now() < until; );
          return threadId
        },
      })`,
    )
    const { code, err } = await cli(['run', module, 'on.default', ...files, '--threads', '2'])
    assert.equal(code, 0, err)
    // Without that it would be on the one thread of the tier fast after its first 50 runs.
    const last = readOutcomes(output).slice(-100)
    assert.equal(new Set(last.map(({ result }) => result)).size, 2)
  })

  it('are waited for where they have no room for more jobs', async (test) => {
    const { module, files, output } = setUp(
      test,
      6_000,
      `export const slow = m.defineTask({
        name: 'wait.short',
        lane: 'waiting',
        maxWaiting: { limit: 10, beyond: 'reject' },
        run: () => new Promise((resolve) => setTimeout(resolve, 20)),
      })`,
    )
    const { code, err } = await cli(['run', module, 'wait.short', ...files, '--concurrency', '200'])
    assert.equal(code, 0, err)
    assertEachOnce(readOutcomes(output), 6_000)
  })

  it('end the run when one of them stops, which says how many lines there are by then', async (test) => {
    const { module, files, output } = setUp(
      test,
      50_000,
      `import { existsSync, writeFileSync } from 'node:fs'
      const flag = new URL('flag', import.meta.url)
      export function setup() { if (existsSync(flag)) throw new Error('no more') }
      export const leave = m.defineTask({ name: 'part.leave', tier: 'broken', run: () => process.exit(0) })
      export const breaks = m.defineTask({
        name: 'part.breaks',
        lane: 'waiting',
        async run(n, context) {
          if (n !== 300) return new Promise((resolve) => setTimeout(resolve, 5))
          writeFileSync(flag, '')
          await context.enqueue(leave, undefined)
        },
      })`,
    )
    const { code, err } = await cli(['run', module, 'part.breaks', ...files, '--concurrency', '20'])
    assert.equal(code, 5, err)
    assert.match(err, /^error: MILLRACE_PLACE_STOPPED: /m)
    const said = /^stopped: .* has ([\d,]+) lines; run the same command again to go on$/m.exec(err)?.[1]
    assert.equal(Number(said?.replaceAll(',', '')), readOutcomes(output).length, err)
  })
})
