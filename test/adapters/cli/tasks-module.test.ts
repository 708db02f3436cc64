import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { cli, scratch, tasksModule } from '../../helpers/cli.ts'

const TASK = `export const one = m.defineTask({ name: 'number.one', run: () => 1 })\n`
const RUNTIME = `m.createRuntime({ tasks: new URL(import.meta.url), journal: { file: new URL(".", import.meta.url).pathname + "inner.db" } })`

describe('a tasks module that a command imports', () => {
  for (const [what, text, message] of [
    ['ends its process', 'process.exit(0)', /it ends its process; .* take process\.exit out/],
    ['waits for ever', 'await new Promise(() => {})', /it waits for what does not come; .* top-level await/],
    ['starts a runtime', `await ${RUNTIME}`, /MILLRACE_NESTED_RUNTIME: /],
    ['starts a runtime and does not wait for it', RUNTIME, /MILLRACE_NESTED_RUNTIME: /],
    ['throws', `throw new Error('not today')`, /not today/],
  ] as const) {
    it(`is refused where it ${what}`, async (test) => {
      const folder = scratch(test)
      const module = tasksModule(folder, TASK + text)
      writeFileSync(join(folder, 'in'), '1\n')
      const files = ['--input', join(folder, 'in'), '--journal', join(folder, 'jobs.db')]
      for (const args of [
        ['run', module, 'number.one', ...files],
        ['worker', '--tasks', module, '--broker', 'amqp://127.0.0.1:1', '--journal', join(folder, 'worker.db')],
      ]) {
        const { code, err, out } = await cli(args)
        assert.equal(code, 2, err)
        assert.match(err, message)
        assert.match(err, /^error: MILLRACE_(TASKS_MODULE|NESTED_RUNTIME): /)
        assert.equal(out, '')
      }
      assert.deepEqual(readdirSync(folder).sort(), ['in', 'tasks.mjs'])
    })
  }

  it('is refused where its path is none', async () => {
    for (const path of ['file://host/tasks.js', 'file:///a%2Fb', '/dev/null', 'none.js']) {
      const { code, err } = await cli(['run', path, 'number.one'])
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_TASKS_MODULE: .* cannot be imported: /)
    }
  })
})
