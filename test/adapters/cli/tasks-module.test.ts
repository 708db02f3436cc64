import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cli, scratch, tasksModule } from '../../helpers/cli.ts'
import { readOutcomes } from '../../helpers/outcomes.ts'

const TASK = `export const one = m.defineTask({ name: 'number.one', run: () => 1 })\n`
const RUNTIME = `m.createRuntime({ tasks: new URL(import.meta.url), journal: { file: new URL(".", import.meta.url).pathname + "inner.db" } })`

/** A run of one line that fails four times, by a backoff named `soon`. */
function ofBackoff(test: TestContext, exported: string) {
  const folder = scratch(test)
  const module = tasksModule(
    folder,
    `export const fails = m.defineTask({
      name: 'always.fails',
      retry: { attempts: 4, backoff: { type: 'custom', name: 'soon' } },
      run: () => { throw new Error('no') },
    })
    ${exported}`,
  )
  const [input, output, journal] = ['in', 'out', 'jobs.db'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(input, '1\n')
  const args = ['run', module, 'always.fails', '--input', input, '--output', output, '--journal', journal]
  return { folder, output, args }
}

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

  it('is refused where a tier and a lane of it have one name, whichever of its tasks is run', async (test) => {
    const folder = scratch(test)
    const module = tasksModule(
      folder,
      `export const a = m.defineTask({ name: 'on.tier', tier: 'photos', run: () => 1 })
      export const b = m.defineTask({ name: 'on.lane', lane: 'photos', run: () => 1 })
      ${TASK}`,
    )
    writeFileSync(join(folder, 'in'), '1\n')
    const files = ['--input', join(folder, 'in'), '--journal', join(folder, 'jobs.db')]
    for (const args of [
      ...['on.tier', 'on.lane', 'number.one'].map((task) => ['run', module, task, ...files]),
      ['worker', '--tasks', module, '--broker', 'amqp://127.0.0.1:1', '--journal', join(folder, 'worker.db')],
    ]) {
      const { code, err } = await cli(args)
      assert.equal(code, 2, err)
      assert.match(
        err,
        /^error: MILLRACE_TASKS_MODULE: .* the tier photos of on\.tier and the lane photos of on\.lane, /,
      )
    }
    assert.deepEqual(readdirSync(folder).sort(), ['in', 'tasks.mjs'])
  })

  it('is refused where its path is none', async () => {
    for (const path of ['file://host/tasks.js', 'file:///a%2Fb', '/dev/null', 'none.js']) {
      const { code, err } = await cli(['run', path, 'number.one'])
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_TASKS_MODULE: .* cannot be imported: /)
    }
  })

  it('gives its backoffs to the run', async (test) => {
    const { args, output } = ofBackoff(test, 'export const backoffs = { soon: (attempt) => attempt }')
    const startedAt = performance.now()
    const { code, err } = await cli(args)
    assert.equal(code, 1, err)
    assert.equal(readOutcomes(output)[0]?.attempts, 4)
    // The default one waits for seconds.
    assert.ok(performance.now() - startedAt < 10_000)
  })

  for (const [what, exported, message] of [
    ['lacks the backoff of a task', '', /got the name "soon", .* export const backoffs = \{ "soon": /],
    ['lacks it among others', 'export const backoffs = { later: () => 1 }', /got the name "soon"/],
    ['exports backoffs that are none', 'export const backoffs = { soon: 5 }', /expected functions by name/],
  ] as const) {
    it(`is refused where it ${what}`, async (test) => {
      const { folder, args } = ofBackoff(test, exported)
      const { code, err } = await cli(args)
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_TASKS_MODULE: /)
      assert.match(err, message)
      assert.deepEqual(readdirSync(folder).sort(), ['in', 'tasks.mjs'])
    })
  }
})
