import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../../../../lib/clock.ts'
import { condemn, stateOf } from '../../../../lib/slot-word.ts'
import type { Outcome } from '../../../../lib/outcome.ts'
import type { Context } from '../../../../lib/context.ts'
import { collectTasks } from '../../../../lib/collect-tasks.ts'
import { defineTask } from '../../../../lib/task.ts'
import { NUMBERS_AT_ONCE } from '../../../../runtime/places/number-supply.ts'
import { PortHost } from '../../../../runtime/places/attempt/port-host.ts'
import { Handlers } from '../../../../runtime/places/attempt/handlers.ts'
import { Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import { Runner } from '../../../../runtime/places/threads/runner.ts'
import { Slots } from '../../../../runtime/places/slots.ts'
import type { Batch, ToThread } from '../../../../runtime/places/thread-protocol.ts'
import { claimsOf } from '../../../helpers/claims.ts'

const LIMITS = { softLimitMs: 20_000, hardLimitMs: 30_000 }

/** A runner of a thread, on this one, whose jobs end when the test says so. */
async function runnerOf(
  test: TestContext,
  concurrency: number,
  jobs: number,
  outcome: (outcome: Outcome) => void = () => undefined,
) {
  const thread = new Incarnation(
    { slots: 8, concurrency, firstStart: 0, memory: 'ignored', journal: 'abcdef', starts: undefined },
    () => {},
  )
  test.after(() => thread.close())
  const contexts: Context[] = []
  const ends: ((result?: unknown) => void)[] = []
  const work = defineTask({
    name: 'work',
    run: (_input: null, context) =>
      new Promise<unknown>((resolve) => {
        contexts.push(context)
        ends.push(resolve)
      }),
  })
  const slots = new Slots(thread.run.slots, thread.run.slotCount)
  const gaveBack: number[] = []
  const sent: string[] = []
  const host = new PortHost('abcdef', slots, systemClock, ({ type }) => void sent.push(type))
  host.numbers.add(100, NUMBERS_AT_ONCE)
  const runner = new Runner({
    slots,
    concurrency,
    handlers: new Handlers(collectTasks([{ url: 'test', exports: { work } }])),
    host,
    starts: undefined,
    clock: systemClock,
    outcome: (_slot, _generation, told) => outcome(told),
    gaveBack: (slot) => void gaveBack.push(slot),
    progressed() {},
    attribute: (_context, run) => run(),
  })
  const batch = new Promise<Batch>((resolve) => {
    thread.run.port.once('message', (message: ToThread) => resolve(message as Batch))
  })
  thread.offer(claimsOf(jobs).map((job) => ({ job: { ...job, input: 'null' }, task: 'work', limits: LIMITS })))
  runner.add(await batch)
  const states = () => thread.entries.map(({ slot, generation }) => stateOf(slots.words, slot, generation))
  const condemnFirst = () => {
    const { slot, generation } = thread.entries[0] as (typeof thread.entries)[0]
    return condemn(slots.words, slot, generation)
  }
  return { ends, contexts, sent, gaveBack, states, condemnFirst }
}

describe('a thread whose attempt was condemned', () => {
  it('takes no other job when it ends after all, where it runs one at a time: it is about to be terminated', async (test) => {
    const { ends, gaveBack, states, condemnFirst } = await runnerOf(test, 1, 2)
    assert.deepEqual(states(), ['taken', 'offered'])
    assert.equal(condemnFirst(), 'condemned')
    ends[0]?.()
    await turn()
    assert.deepEqual([states(), gaveBack.length], [['condemned', 'offered'], 1])
  })

  it('goes on with others on a lane', async (test) => {
    const { ends, states, condemnFirst } = await runnerOf(test, 2, 3)
    assert.equal(condemnFirst(), 'condemned')
    ends[0]?.()
    await turn()
    assert.deepEqual(states(), ['condemned', 'taken', 'taken'])
  })

  it('enqueues nothing and tells nothing for it any more, before its end and after', async (test) => {
    const { ends, contexts, sent, condemnFirst } = await runnerOf(test, 2, 1)
    const context = contexts[0] as Context
    const child = defineTask<null, null>({ name: 'child' })
    const refused = () =>
      assert.rejects(context.enqueue(child, null, { now: true }), { code: 'MILLRACE_WRONG_STATE', message: /given up/ })
    context.progress(0.5)
    condemnFirst()
    await refused()
    context.progress(0.6)
    ends[0]?.()
    await turn()
    await refused()
    assert.deepEqual(sent, ['progress'])
  })
})

describe('a thread whose outcome cannot be posted', () => {
  it('posts why instead, and goes on with the next job', async (test) => {
    const told: string[] = []
    const { ends, states } = await runnerOf(test, 1, 2, (outcome) => {
      if (outcome.type === 'succeeded') throw new DOMException('it could not be cloned', 'DataCloneError')
      told.push(outcome.type === 'failed' ? outcome.error.name : outcome.type)
    })
    ends[0]?.('a result')
    await turn()
    assert.deepEqual([told, states()], [['DataCloneError'], ['done', 'taken']])
  })
})
