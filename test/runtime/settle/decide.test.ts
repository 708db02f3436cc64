import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { transitions } from '../../../lib/job-state.ts'
import type { JobOverrides } from '../../../lib/job.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import { defineTask, taskManifest, type TaskManifest, type TaskSettings } from '../../../lib/task.ts'
import type { JobColumns, Settle } from '../../../runtime/journal/protocol.ts'
import type { ClaimedJob, Ended } from '../../../runtime/messages.ts'
import { type Circumstances, decide } from '../../../runtime/settle/decide.ts'
import { claimOf } from '../../helpers/claims.ts'

const NOW = 1_000_000
const KEEP_ENDED_MS = 5_000
const BEGAN = NOW - 12.4
const ENDED = NOW - 2.4

const error = { name: 'Error', message: 'no luck', code: 'E_LUCK' }
const failure: Outcome = { type: 'failed', error, retry: 'by-policy' }
const success: Outcome = { type: 'succeeded', output: '7' }

const outcomes = {
  succeeded: success,
  failed: failure,
  snoozed: { type: 'snoozed', delayMs: 300 },
  discarded: { type: 'discarded', reason: 'not wanted' },
  cancelled: { type: 'cancelled' },
  expired: { type: 'expired' },
  interrupted: { type: 'interrupted', cause: 'drain' },
  held: { type: 'held' },
  'put-off': { type: 'put-off', delayMs: 300 },
} as const satisfies { readonly [T in Outcome['type']]: Extract<Outcome, { type: T }> }

type Settings = Pick<TaskSettings, 'retry' | 'keepResultMs' | 'keepHistory' | 'keepEndedMs'>

function manifestOf(settings: Settings = {}): TaskManifest {
  return taskManifest(defineTask({ name: 'work', ...settings, run: (_input: null) => null }))
}

interface Case {
  readonly job?: Partial<ClaimedJob>
  readonly overrides?: JobOverrides
  readonly settings?: Settings
  readonly given?: Partial<Circumstances>
  readonly wish?: 'cancel' | undefined
}

function decideOn(outcome: Outcome, { job = {}, overrides, settings, given, wish }: Case = {}): Settle | 'finish' {
  const extra = overrides === undefined ? {} : { extra: { overrides: JSON.stringify(overrides) } }
  const ended: Ended = { job: claimOf({ ...extra, ...job }), outcome, startedAt: BEGAN, endedAt: ENDED }
  return decide(ended, {
    now: NOW,
    manifestOf: () => manifestOf(settings),
    wishOf: () => wish,
    keepEndedMs: KEEP_ENDED_MS,
    customs: new Map(),
    random: () => 0.5,
    children: () => undefined,
    ...given,
  })
}

function settleOn(outcome: Outcome, options: Case = {}): Settle {
  const settle = decideOn(outcome, options)
  if (settle === 'finish') return assert.fail('it was finished without a settle')
  return settle
}

function recordOf({ record }: Settle): Record<string, unknown> | undefined {
  return record === undefined ? undefined : (JSON.parse(record) as Record<string, unknown>)
}

describe('a success', () => {
  it('is finished when it leaves nothing anywhere', () => {
    assert.equal(decideOn(success), 'finish')
  })

  it('is settled and its row dropped when it may have left something before', () => {
    const dropped = { number: 1, transition: 'succeed', row: 'drop' }
    assert.deepEqual(settleOn(success, { job: { claim: 3, attempt: 1 } }), { ...dropped, claim: 3, attempt: 2 })
    assert.deepEqual(settleOn(success, { job: { extra: { key: 'k' } } }), { ...dropped, claim: 1, attempt: 1 })
  })

  it('keeps its result as long as its task or the job itself says', () => {
    const kept = settleOn(success, { settings: { keepResultMs: 400 } })
    assert.deepEqual([kept.row, kept.output, kept.endedAt, kept.keepUntil], ['keep', '7', NOW, NOW + 400])
    assert.equal(kept.record, undefined)
    const longer = settleOn(success, { settings: { keepResultMs: 400 }, overrides: { keepResultMs: 900 } })
    assert.equal(longer.keepUntil, NOW + 900)
  })

  it('keeps its history without its result, and both for the longer time', () => {
    const settings = { keepHistory: { forMs: 700, max: 5 } }
    const log = [{ at: 1, level: 'info', message: 'begun' }] as const
    const kept = settleOn({ ...success, log }, { settings })
    assert.deepEqual([kept.output, kept.keepUntil], [undefined, NOW + 700])
    assert.deepEqual(recordOf(kept), {
      claim: 1,
      attempt: 1,
      startedAt: Math.round(BEGAN),
      endedAt: Math.round(ENDED),
      type: 'succeeded',
      log,
    })
    const both = settleOn(success, { settings: { ...settings, keepResultMs: 100 } })
    assert.deepEqual([both.output, both.keepUntil], ['7', NOW + 700])
  })

  it('brings its children along', () => {
    const columns: JobColumns = { numbers: [9], tasks: [0], inputs: ['1'], extras: null }
    const children = [{ number: 9, task: 'work', input: '1', extra: null }]
    const settle = settleOn({ ...success, children }, { given: { children: () => columns } })
    assert.deepEqual([settle.row, settle.children], ['drop', columns])
  })

  it('wins over the wish to cancel the job', () => {
    assert.equal(decideOn(success, { wish: 'cancel' }), 'finish')
  })
})

describe('a failure', () => {
  const fixed = (attempts: number) => ({ retry: { attempts, backoff: { type: 'fixed', delayMs: 100 } as const } })

  it('is tried again when its policy says so, and is on record', () => {
    const settle = settleOn(failure, { settings: fixed(3), job: { attempt: 1, claim: 4 } })
    assert.deepEqual([settle.transition, settle.attempt, settle.dueAt], ['retry', 2, NOW + 100])
    assert.deepEqual([settle.claim, settle.endedAt, settle.keepUntil], [4, undefined, undefined])
    const { error: stored, type, attempt } = recordOf(settle) ?? {}
    assert.deepEqual([stored, type, attempt], [error, 'failed', 2])
  })

  it('is the end after the last attempt, and the row is kept', () => {
    const settle = settleOn(failure, { settings: fixed(3), job: { attempt: 2 } })
    assert.deepEqual([settle.transition, settle.attempt, settle.dueAt], ['die', 3, undefined])
    assert.deepEqual([settle.endedAt, settle.keepUntil], [NOW, NOW + KEEP_ENDED_MS])
    assert.equal(settleOn(failure, { settings: { ...fixed(1), keepEndedMs: 70 } }).keepUntil, NOW + 70)
  })

  it('is the end at once when its error rules out another attempt', () => {
    assert.equal(settleOn({ ...failure, retry: 'never' }).transition, 'die')
    assert.equal(settleOn(failure, { settings: { retry: { giveUpOn: ['E_LUCK'] } } }).transition, 'die')
    assert.equal(settleOn(failure, { settings: { retry: { giveUpOn: ['E_OTHER'] } } }).transition, 'retry')
  })

  it("follows the job's own policy before its task's", () => {
    const retry = { attempts: 9, backoff: { type: 'list', delaysMs: [10, 20, 30] } } as const
    const settle = settleOn(failure, { settings: fixed(1), overrides: { retry }, job: { attempt: 1 } })
    assert.deepEqual([settle.transition, settle.dueAt], ['retry', NOW + 20])
  })

  it('waits as long as a backoff of the service says, told the attempt and the error', () => {
    const heard: unknown[] = []
    const custom = (attempt: number, of: unknown) => {
      heard.push([attempt, of])
      return 1_234
    }
    const settings = { retry: { backoff: { type: 'custom', name: 'own' } as const } }
    const given = { customs: new Map([['own', custom]]) }
    assert.equal(settleOn(failure, { settings, given, job: { attempt: 2 } }).dueAt, NOW + 1_234)
    assert.deepEqual(heard, [[3, error]])
  })

  it('spreads its next attempt over the delay', () => {
    const settings = { retry: { backoff: { type: 'exponential', firstMs: 1_000 } as const } }
    const dueAt = (random: number) => settleOn(failure, { settings, given: { random: () => random } }).dueAt
    assert.deepEqual([dueAt(0), dueAt(0.25), dueAt(1)], [NOW, NOW + 250, NOW + 1_000])
  })
})

describe('any other end', () => {
  it('comes back uncharged from a snooze, when it wants to', () => {
    const settle = settleOn(outcomes.snoozed, { job: { attempt: 1 } })
    assert.deepEqual([settle.transition, settle.attempt, settle.dueAt], ['snooze', 1, NOW + 300])
    assert.equal(recordOf(settle)?.['type'], 'snoozed')
  })

  it('is kept with its reason when the handler discards the job', () => {
    const settle = settleOn(outcomes.discarded)
    assert.deepEqual([settle.transition, settle.attempt, settle.keepUntil], ['discard', 1, NOW + KEEP_ENDED_MS])
    assert.equal(recordOf(settle)?.['reason'], 'not wanted')
  })

  it('costs no attempt when it was cancelled, expired or interrupted', () => {
    const ends = (['cancelled', 'expired', 'interrupted'] as const).map((type) =>
      settleOn(outcomes[type], { job: { attempt: 2 } }),
    )
    assert.deepEqual(
      ends.map(({ transition, attempt, endedAt }) => [transition, attempt, endedAt]),
      [
        ['cancel-running', 2, NOW],
        ['expire', 2, NOW],
        ['release', 2, undefined],
      ],
    )
    assert.deepEqual(
      ends.map((settle) => recordOf(settle)?.['type']),
      ['cancelled', undefined, undefined],
    )
  })

  it('becomes a cancel, whatever it was, when somebody wished that while it ran', () => {
    for (const type of ['failed', 'snoozed', 'discarded', 'cancelled', 'expired', 'interrupted'] as const) {
      const settle = settleOn(outcomes[type], { wish: 'cancel' })
      assert.deepEqual(
        [settle.transition, settle.attempt, settle.keepUntil],
        ['cancel-running', 0, NOW + KEEP_ENDED_MS],
      )
    }
  })
})

describe('every decision', () => {
  it('of what could not be sent away keeps its own delay, and is told of to nobody', () => {
    const putOff = { type: 'put-off', delayMs: 300 } as const
    assert.deepEqual(settleOn(putOff, { job: { extra: { dueAt: NOW + 60_000 } } }).dueAt, NOW + 60_000)
    const settle = settleOn(putOff, { job: { attempt: 2 } })
    assert.deepEqual(
      [settle.transition, settle.dueAt, settle.attempt, settle.record],
      ['snooze', NOW + 300, 2, undefined],
    )
  })

  it('is away with what a broker holds, for so long, whatever somebody wants of it', () => {
    const settle = settleOn({ type: 'held' }, { given: { awayMs: 5_000 }, wish: 'cancel' })
    assert.deepEqual([settle.transition, settle.keepUntil, settle.attempt], ['hand-over', NOW + 5_000, 0])
  })

  it('names the claim it is about, never takes attempts back, and stores what its state needs', () => {
    const types = Object.keys(outcomes) as Outcome['type'][]
    const given = fc.record({
      type: fc.constantFrom(...types),
      wish: fc.constantFrom('cancel' as const, undefined),
      attempts: fc.integer({ min: 1, max: 4 }),
      attempt: fc.nat({ max: 5 }),
      claim: fc.integer({ min: 1, max: 9 }),
      keepResultMs: fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(given, ({ type, wish, attempts, attempt, claim, keepResultMs }) => {
        const settings = { retry: { attempts }, ...(keepResultMs !== undefined && { keepResultMs }) }
        const settle = decideOn(outcomes[type], { settings, job: { attempt, claim }, wish })
        if (settle === 'finish') return assert.deepEqual([type, claim, keepResultMs], ['succeeded', 1, undefined])
        assert.deepEqual([settle.number, settle.claim], [1, claim])
        assert.ok(settle.attempt === attempt || settle.attempt === attempt + 1)
        const { to } = transitions[settle.transition]
        assert.equal(settle.dueAt !== undefined, to === 'scheduled')
        const isStored = settle.row === 'keep' && to !== 'scheduled' && to !== 'available'
        assert.equal(settle.keepUntil !== undefined, isStored)
        assert.equal(settle.endedAt !== undefined, isStored && to !== 'away')
      }),
    )
  })
})
