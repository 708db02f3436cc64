import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRuntime, type RuntimeOptions } from '../../runtime/index.ts'
import { firstOnLane, firstOnTier } from '../fixtures/first-tasks.ts'
import { secondOnLane, secondOnTier } from '../fixtures/second-tasks.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

const moduleOf = (name: string) => new URL(`../fixtures/${name}-tasks.js`, import.meta.url)

const places: Readonly<Record<string, Pick<RuntimeOptions, 'tiers' | 'lanes'>>> = {
  'threads and the loop': { tiers: { default: { threads: 1 } }, lanes: { network: {} } },
  'threads alone': { tiers: { default: { threads: 1 } }, lanes: { network: { threads: 1 } } },
  'processes and threads': { tiers: { default: { processes: 1 } }, lanes: { network: { threads: 1 } } },
}

for (const [where, options] of Object.entries(places)) {
  describe(`a runtime with two modules, on ${where}`, () => {
    it('runs the tasks of each, set up in their order, and within the hooks of both', async (test) => {
      const runtime = await startRuntime(test, { tasks: [moduleOf('first'), moduleOf('second')], ...options })
      for (const task of [firstOnTier, secondOnTier, firstOnLane, secondOnLane]) {
        const result = await (await runtime.enqueue(task, null)).result({ timeoutMs: 20_000 })
        assert.deepEqual(result, { setups: ['first', 'second'], through: ['second', 'first'] }, task.name)
      }
      assert.deepEqual((await runtime.tasks()).map(({ task }) => task).sort(), [
        'first.lane',
        'first.tier',
        'second.lane',
        'second.tier',
      ])
    })

    it('refuses two handlers of one name, and says in which module the second one is', async () => {
      const tasks = [moduleOf('first'), moduleOf('rival')]
      await assert.rejects(createRuntime({ tasks, journal: { file: ':memory:' }, ...options }), {
        code: 'MILLRACE_DUPLICATE_TASK',
        path: 'tasks[1]',
        message: /firstOnTier in .*first-tasks\.js and rival in .*rival-tasks\.js/,
      })
    })

    it('says which of them cannot be imported', async () => {
      const tasks = [moduleOf('first'), moduleOf('missing')]
      await assert.rejects(createRuntime({ tasks, journal: { file: ':memory:' }, ...options }), {
        code: 'MILLRACE_TASKS_MODULE',
        path: 'tasks[1]',
      })
    })
  })
}

describe('a tasks module that is given by its path', () => {
  it('is loaded from a folder that has any name', async (test) => {
    for (const name of ['c#', 'a%20b', 'q?x', 'two words']) {
      const folder = join(scratchFolder(), name)
      mkdirSync(folder)
      writeFileSync(join(folder, 'tasks.mjs'), `export * from ${JSON.stringify(moduleOf('first').href)}`)
      const runtime = await startRuntime(test, { tasks: join(folder, 'tasks.mjs'), lanes: { network: {} } })
      assert.deepEqual((await runtime.tasks()).map(({ task }) => task).sort(), ['first.lane', 'first.tier'], name)
      await runtime.stop()
    }
  })
})
