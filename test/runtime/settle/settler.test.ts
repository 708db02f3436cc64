import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { spawn } from '../../../lib/actor.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { ChildJob, Outcome } from '../../../lib/outcome.ts'
import { defineTask, taskManifest } from '../../../lib/task.ts'
import { Catalog } from '../../../runtime/catalog.ts'
import type { SettleEntry } from '../../../runtime/journal/owner/gather.ts'
import type { Ended, EndedGroup } from '../../../runtime/messages.ts'
import { Settler } from '../../../runtime/settle/settler.ts'
import { claimOf } from '../../helpers/claims.ts'

const success: Outcome = { type: 'succeeded', output: '' }
const failure: Outcome = { type: 'failed', error: { name: 'Error', message: '' }, retry: 'never' }

function endedOf(number: number, outcome: Outcome = success): Ended {
  return { job: claimOf({ number }), outcome, startedAt: 1, endedAt: 2 }
}

function groupOf(...ended: readonly Ended[]): EndedGroup {
  return { place: 0, ended }
}

function childOf(number: number, task: string, extra: ChildJob['extra'] = null): ChildJob {
  return { number, task, input: String(number), extra }
}

/** A settler and what it writes; the journal knows one task, and learns others when it is told to. */
function settlerOf(unsettled = new Set<EndedGroup>()) {
  const catalog = new Catalog()
  catalog.add([taskManifest(defineTask({ name: 'work', run: (_input: null) => null }))])
  catalog.bind(0, 'work', 0)
  const names = ['work']
  const finished: Ended[] = []
  const settles: SettleEntry[] = []
  const wanted: { readonly names: readonly string[]; learn(): void; end(): void }[] = []
  const wishes = new Set<number>()
  const settler = new Settler({
    clock: new ManualClock(1_000),
    catalog,
    journal: {
      finish: (ended) => void finished.push(ended),
      settle: (entry) => void settles.push(entry),
      taskIndex: (name) => (names.includes(name) ? names.indexOf(name) : undefined),
      learn: (unknown) =>
        new Promise((resolve) => {
          const learn = () => {
            names.push(...unknown)
            resolve()
          }
          wanted.push({ names: unknown, learn, end: resolve })
        }),
    },
    wishes,
    unsettled,
    customs: new Map(),
    keepEndedMs: 500,
    random: () => 0.5,
  })
  const giveUp = () => {
    for (const { end } of wanted) end()
  }
  return { settler, finished, settles, wanted, wishes, unsettled, giveUp }
}

const numbersIn = (finished: readonly Ended[]) => finished.map(({ job }) => job.number)
const transitionsIn = (settles: readonly SettleEntry[]) => settles.map(({ settle }) => settle.transition)

describe('the settler', () => {
  it('hands what it decides to the journal, and only then lets the group go', () => {
    const group = groupOf(endedOf(1), endedOf(2, failure), endedOf(3))
    const { settler, finished, settles, unsettled } = settlerOf(new Set([group]))
    settler.receive({ type: 'ended', group })
    assert.deepEqual([numbersIn(finished), transitionsIn(settles)], [[1, 3], ['die']])
    assert.equal(unsettled.size, 0)
  })

  it('knows who wanted a job cancelled', () => {
    const { settler, settles, wishes } = settlerOf()
    wishes.add(2)
    settler.receive({ type: 'ended', group: groupOf(endedOf(1, failure), endedOf(2, failure)) })
    assert.deepEqual(transitionsIn(settles), ['die', 'cancel-running'])
  })

  it('begins with what the one before it has left', async () => {
    const left = groupOf(endedOf(1), endedOf(2))
    const { settler, finished, unsettled } = settlerOf(new Set([left]))
    const child = spawn(settler, { id: 'settler' })
    await child.started
    assert.deepEqual([numbersIn(finished), unsettled.size], [[1, 2], 0])
    child.stop()
  })

  it('writes what was told and not read before it stops, once', async () => {
    const { settler, finished, unsettled } = settlerOf()
    const child = spawn(settler, { id: 'settler' })
    await child.started
    const group = groupOf(endedOf(1))
    unsettled.add(group)
    child.tell({ type: 'ended', group })
    child.stop()
    await child.exited
    assert.deepEqual([numbersIn(finished), unsettled.size], [[1], 0])
  })
})

describe('a job of which nothing can be decided', () => {
  it('is dead with the reason, and costs nobody else', () => {
    const damaged = { ...endedOf(2, { type: 'failed', error: { name: 'Error', message: 'mine' }, retry: 'by-policy' }) }
    const group = groupOf(
      endedOf(1),
      { ...damaged, job: { ...damaged.job, extra: { overrides: 'no json' } } },
      { ...endedOf(3), job: claimOf({ number: 3, extra: { overrides: '{"keepResultMs":"x"}' } }) },
      { ...endedOf(4), job: claimOf({ number: 4, task: 77 }) },
      endedOf(5, failure),
    )
    const { settler, finished, settles, unsettled } = settlerOf(new Set([group]))
    settler.receive({ type: 'ended', group })
    assert.deepEqual([numbersIn(finished), unsettled.size], [[1], 0])
    assert.deepEqual(
      settles.map(({ ended, settle }) => [settle.number, settle.transition, settle.keepUntil, ended.outcome.type]),
      [2, 3, 4, 5].map((number) => [number, 'die', 1_500, 'failed']),
    )
    for (const { settle } of settles.slice(0, 2)) assert.match(settle.record ?? '', /MILLRACE_PAYLOAD_CORRUPT/)
  })
})

describe('the children of a success', () => {
  it('travel as columns, with their options only if one has any', () => {
    const { settler, settles } = settlerOf()
    const plain = [childOf(5, 'work'), childOf(6, 'work')]
    const urgent = [childOf(7, 'work'), childOf(8, 'work', { priority: 9 })]
    for (const [number, children] of [plain, urgent].entries()) {
      settler.receive({ type: 'ended', group: groupOf(endedOf(number, { ...success, children })) })
    }
    assert.deepEqual(
      settles.map(({ settle }) => settle.children),
      [
        { numbers: [5, 6], tasks: [0, 0], inputs: ['5', '6'], extras: null },
        { numbers: [7, 8], tasks: [0, 0], inputs: ['7', '8'], extras: [null, { priority: 9 }] },
      ],
    )
  })

  it('wait for the journal to learn their tasks, and nobody waits with them', async () => {
    const children = [childOf(5, 'strange'), childOf(6, 'work'), childOf(7, 'stranger')]
    const { settler, finished, settles, wanted } = settlerOf()
    settler.receive({ type: 'ended', group: groupOf(endedOf(1, { ...success, children }), endedOf(2)) })
    assert.deepEqual([numbersIn(finished), settles.length], [[2], 0])
    assert.deepEqual(
      wanted.map(({ names }) => names),
      [['strange', 'stranger']],
    )
    wanted[0]?.learn()
    await Promise.resolve()
    await Promise.resolve()
    assert.deepEqual(settles[0]?.settle.children?.tasks, [1, 0, 2])
  })

  it('keep their parent among what is not settled until the journal knows their tasks', async () => {
    const group = groupOf(endedOf(1, { ...success, children: [childOf(5, 'strange')] }), endedOf(2))
    const { settler, settles, wanted, unsettled } = settlerOf(new Set([group]))
    settler.receive({ type: 'ended', group })
    assert.deepEqual(
      [...unsettled].flatMap(({ ended }) => numbersIn(ended)),
      [1],
      'else a reroute meanwhile would give the parent back, although it has run',
    )
    wanted[0]?.learn()
    await Promise.resolve()
    await Promise.resolve()
    assert.deepEqual([settles.length, unsettled.size], [1, 0])
  })

  it('are given up when the journal has ended before it has learned their tasks', async () => {
    const group = groupOf(endedOf(1, { ...success, children: [childOf(5, 'strange')] }))
    const { settler, wanted, unsettled, giveUp } = settlerOf(new Set([group]))
    settler.receive({ type: 'ended', group })
    giveUp()
    await turn()
    assert.deepEqual([wanted.length, unsettled.size], [1, 1], 'and not asked for over and over')
  })

  it('are written once, although the settler is started anew while their tasks are learned', async () => {
    const group = groupOf(endedOf(1, { ...success, children: [childOf(5, 'strange')] }))
    const { settler, settles, wanted, unsettled } = settlerOf(new Set([group]))
    settler.receive({ type: 'ended', group })
    const stopped = settler.stop()
    assert.equal(settles.length, 0)
    for (const { learn } of wanted) learn()
    await stopped
    assert.deepEqual([settles.length, unsettled.size], [1, 0])
  })
})
