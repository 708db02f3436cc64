import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EventEmitter } from 'eventemitter3'
import type { RuntimeEvent, RuntimeEvents } from '../../../lib/events.ts'
import { formatJobId } from '../../../lib/job.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import { defineTask, taskManifest } from '../../../lib/task.ts'
import { Catalog } from '../../../runtime/catalog.ts'
import { createEmit } from '../../../runtime/emit.ts'
import type { SettleEntry } from '../../../runtime/journal/owner/gather.ts'
import type { Settle } from '../../../runtime/journal/protocol.ts'
import type { Ended } from '../../../runtime/messages.ts'
import { Announcer } from '../../../runtime/settle/announcer.ts'
import { Results } from '../../../runtime/settle/results.ts'
import { claimOf } from '../../helpers/claims.ts'

const error = { name: 'Error', message: 'no luck' }
const id = formatJobId('test00', 1)
const NONE: ReadonlySet<number> = new Set()

/** An announcer, and what the given events told. */
function announcerOf(...events: readonly RuntimeEvent[]) {
  const emitter = new EventEmitter<RuntimeEvents>()
  const told: [string, unknown][] = []
  for (const event of events) emitter.on(event, (payload: unknown) => void told.push([event, payload]))
  const catalog = new Catalog()
  catalog.add([taskManifest(defineTask({ name: 'work', run: (_input: null) => null }))])
  catalog.bind(0, 'work', 0)
  const results = new Results((number) => formatJobId('test00', number))
  results.begin(1)
  const wishes = new Set<number>()
  const emit = createEmit(emitter)
  const announcer = new Announcer({ catalog, results, emit, wishes, journalName: () => 'test00' })
  return { announcer, results, wishes, told }
}

function endedOf(outcome: Outcome, number = 1): Ended {
  return { job: claimOf({ number, attempt: 1 }), outcome, startedAt: 100, endedAt: 112.5 }
}

function settled(outcome: Outcome, transition: Settle['transition'], more: Partial<Settle> = {}): SettleEntry {
  return { ended: endedOf(outcome), settle: { number: 1, claim: 1, transition, row: 'keep', attempt: 2, ...more } }
}

const succeeded: Outcome = { type: 'succeeded', output: '7' }
const failed: Outcome = { type: 'failed', error, retry: 'by-policy' }

const ATTEMPT = { id, task: 'work', attempt: 2, ranMs: 12.5 }

/** What each transition tells, and whether the job has ended with it. */
const tellings: Readonly<
  Record<
    Exclude<Settle['transition'], 'hand-over'>,
    { entry: SettleEntry; event: RuntimeEvent; payload: object; end?: object }
  >
> = {
  succeed: {
    entry: settled(succeeded, 'succeed'),
    event: 'job.succeeded',
    payload: ATTEMPT,
    end: { state: 'succeeded', output: '7' },
  },
  retry: {
    entry: settled(failed, 'retry', { dueAt: 900 }),
    event: 'job.retrying',
    payload: { ...ATTEMPT, error, nextAt: 900 },
  },
  die: {
    entry: settled(failed, 'die'),
    event: 'job.dead',
    payload: { ...ATTEMPT, error },
    end: { state: 'dead', error },
  },
  snooze: {
    entry: settled({ type: 'snoozed', delayMs: 5 }, 'snooze', { dueAt: 905 }),
    event: 'job.snoozed',
    payload: { ...ATTEMPT, nextAt: 905 },
  },
  discard: {
    entry: settled({ type: 'discarded', reason: 'old' }, 'discard'),
    event: 'job.discarded',
    payload: { ...ATTEMPT, reason: 'old' },
    end: { state: 'discarded', reason: 'old' },
  },
  'cancel-running': {
    entry: settled({ type: 'cancelled' }, 'cancel-running'),
    event: 'job.cancelled',
    payload: { id, task: 'work' },
    end: { state: 'cancelled' },
  },
  expire: {
    entry: settled({ type: 'expired' }, 'expire'),
    event: 'job.expired',
    payload: { id, task: 'work' },
    end: { state: 'expired' },
  },
  release: {
    entry: settled({ type: 'interrupted', cause: 'drain' }, 'release'),
    event: 'job.interrupted',
    payload: ATTEMPT,
  },
}

const all = [...new Set(Object.values(tellings).map(({ event }) => event))]

describe('the announcer', () => {
  for (const [transition, { entry, event, payload, end }] of Object.entries(tellings)) {
    it(`tells ${event} of a committed ${transition}, and ${end === undefined ? 'that is no end' : 'its end'}`, () => {
      const { announcer, results, told } = announcerOf(...all)
      announcer.committed([], [entry], NONE)
      assert.deepEqual(told, [[event, payload]])
      assert.deepEqual(results.recent(1), end)
    })
  }

  it('tells of a plain success, and answers who waits for it', async () => {
    const { announcer, results, told } = announcerOf(...all)
    const waiting = results.wait(1)
    announcer.committed([endedOf(succeeded)], [], NONE)
    assert.deepEqual([await waiting.promise, told], [7, [['job.succeeded', ATTEMPT]]])
  })

  it('answers who waits although nobody listens', async () => {
    const { announcer, results, told } = announcerOf()
    const waiting = results.wait(1)
    announcer.committed([endedOf(succeeded)], [], NONE)
    assert.deepEqual([await waiting.promise, told], [7, []])
  })

  it('says nothing of what is stale: another commit has decided it', () => {
    const { announcer, results, told } = announcerOf(...all)
    const stale = new Set([1])
    announcer.committed([endedOf(succeeded)], [], stale)
    announcer.committed([], [settled(failed, 'die')], stale)
    assert.deepEqual([told, results.recent(1)], [[], undefined])
    announcer.committed([endedOf(succeeded, 2)], [settled(failed, 'die')], new Set([3]))
    assert.equal(told.length, 2, 'the control: others of the same commit are told')
  })

  it('forgets the wish for the end of a job that has ended', () => {
    const { announcer, wishes } = announcerOf()
    for (const number of [1, 2, 3]) wishes.add(number)
    announcer.committed([endedOf(succeeded, 2)], [settled(failed, 'retry')], NONE)
    assert.deepEqual([...wishes], [1, 3], 'it may run again: it was decided before the wish')
    announcer.committed([], [settled(failed, 'die')], NONE)
    assert.deepEqual([...wishes], [3])
  })

  it('tells of jobs that the journal has let expire', () => {
    const { announcer, results, wishes, told } = announcerOf(...all)
    wishes.add(1)
    announcer.expired([{ number: 1, task: 0 }])
    assert.deepEqual(told, [['job.expired', { id, task: 'work' }]])
    assert.deepEqual(results.recent(1), { state: 'expired' })
    assert.deepEqual([...wishes], [], 'it may be retried, and nobody wants that cancelled')
  })

  it('tells which attempt has not come home', () => {
    const { announcer, results, told } = announcerOf(...all)
    announcer.gaveUp([{ number: 1, task: 0, attempt: 3 }])
    const error = results.recent(1)?.error
    assert.equal(error?.code, 'MILLRACE_NO_OUTCOME')
    assert.deepEqual(told, [['job.dead', { id, task: 'work', attempt: 3, ranMs: undefined, error }]])
  })

  it('tells how long an attempt ran only of one that has begun', () => {
    const { announcer, told } = announcerOf(...all)
    const { job, outcome } = endedOf(succeeded)
    announcer.committed([{ job, outcome, startedAt: undefined, endedAt: undefined }], [], NONE)
    assert.deepEqual(told, [['job.succeeded', { ...ATTEMPT, ranMs: undefined }]])
  })
})
