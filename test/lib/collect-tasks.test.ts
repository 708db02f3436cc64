import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collectTasks } from '../../lib/collect-tasks.ts'
import type { Context } from '../../lib/context.ts'
import { defineTask, handle, isSnooze, isTask, snooze } from '../../lib/task.ts'
import { refusal } from '../helpers/refusal.ts'

const context = {} as Context

describe('collectTasks', () => {
  const thumbnail = defineTask({ name: 'photo.thumbnail', run: () => 1 })
  const deliver = defineTask<string, number>({ name: 'feed.deliver' })
  const deliverHandler = handle(deliver, async () => 2)

  function collect(...exports: readonly Record<string, unknown>[]) {
    return collectTasks(exports.map((each, at) => ({ url: `file:///tasks-${at}.js`, exports: each })))
  }

  it('finds tasks with their own work and handlers, by the name of their task', async () => {
    const { handlers } = collect({ thumbnail, deliverHandler })
    assert.deepEqual([...handlers.keys()], ['photo.thumbnail', 'feed.deliver'])
    assert.equal(handlers.get('photo.thumbnail')?.task, thumbnail)
    const run = await handlers.get('feed.deliver')?.load()
    assert.equal(await run?.('a' as never, context), 2)
  })

  it('passes over contracts, and over whatever else a module exports', () => {
    const other = { deliver, count: 5, name: 'x', nothing: null, missing: undefined, toString: 5, constructor: 5 }
    const { handlers, setup, teardown, around } = collect({ ...other, looksLike: { ...deliverHandler, task: deliver } })
    // A spread copies the mark: that is still the handler. Everything else is passed over.
    assert.deepEqual([...handlers.keys()], ['feed.deliver'])
    assert.deepEqual([[...setup], teardown, around], [[], [], []])
    assert.equal(collect({ fake: { task: deliver, load: () => () => 5 } }).handlers.size, 0)
  })

  it('counts once what is exported twice', () => {
    assert.equal(collect({ thumbnail, again: thumbnail }, { thumbnail }).handlers.size, 1)
  })

  it('refuses two handlers for one task, naming both exports', () => {
    const rival = handle(deliver, async () => 3)
    const expected = refusal(
      'MILLRACE_DUPLICATE_TASK',
      undefined,
      'feed.deliver',
      'deliverHandler in file:///tasks-0.js',
      'rival in file:///tasks-1.js',
    )
    assert.throws(() => collect({ deliverHandler }, { rival }), expected)
  })

  it('names the path of the module that has the second one, where it has one', () => {
    const modules = [{ deliverHandler }, { rival: handle(deliver, async () => 3) }].map((exports, at) => {
      return { url: `file:///tasks-${at}.js`, exports, path: `tasks[${at}]` }
    })
    assert.throws(() => collectTasks(modules), refusal('MILLRACE_DUPLICATE_TASK', 'tasks[1]'))
  })

  it('refuses a handler for a task that has work of its own', () => {
    const rival = handle(thumbnail, () => 3)
    assert.throws(() => collect({ thumbnail, rival }), refusal('MILLRACE_DUPLICATE_TASK', undefined, 'photo.thumbnail'))
  })

  it('gives hooks in the order of the modules, and teardown in the opposite one', () => {
    const hooks = () => ({ setup() {}, teardown() {}, around() {} })
    const [first, second] = [hooks(), hooks()]
    const collected = collect(first, second, { setup: first.setup })
    assert.deepEqual(
      [...collected.setup],
      [
        [first.setup, 'file:///tasks-0.js'],
        [second.setup, 'file:///tasks-1.js'],
      ],
    )
    assert.deepEqual(collected.teardown, [second.teardown, first.teardown])
    assert.deepEqual(collected.around, [first.around, second.around])
  })

  for (const name of ['setup', 'teardown', 'around']) {
    it(`refuses an export ${name} that is no function`, () => {
      const expected = refusal('MILLRACE_TASKS_MODULE', undefined, `${name} of file:///tasks-0.js`, 'an object')
      assert.throws(() => collect({ [name]: thumbnail }), expected)
    })
  }

  it('knows tasks and outcomes that another copy of this package has made', async () => {
    const copy = (await import(
      new URL('../../lib/context.js?copy', import.meta.url).href
    )) as typeof import('../../lib/context.ts')
    assert.notEqual(copy.snooze, snooze)
    assert.ok(isSnooze(copy.snooze(5)))
    const otherTasks = (await import(
      new URL('../../lib/task.js?copy', import.meta.url).href
    )) as typeof import('../../lib/task.ts')
    const theirs = otherTasks.defineTask({ name: 'theirs', run: () => 1 })
    assert.ok(isTask(theirs))
    assert.equal(collect({ theirs }).handlers.size, 1)
  })
})
