import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Reason, sentenceOf } from '../../lib/explanation.ts'

const AT = Date.UTC(2030, 0, 2, 3, 4, 5)
const on = { place: 'feed', thread: 1, runningMs: 1_234.5, verdict: 'spinning' } as const

const sentences: readonly (readonly [Reason, RegExp])[] = [
  [{ type: 'not-found' }, /^it has no row: either .* or it was never enqueued/],
  [{ type: 'in-inbox' }, /enqueued by another process/],
  [{ type: 'going-out', ahead: { jobs: 3, counted: 'all' } }, /to go to the broker, behind 3 jobs$/],
  [{ type: 'away' }, /^it went to the broker, and its outcome has not come home$/],
  [
    { type: 'ended', state: 'cancelled', endedAt: AT, attempts: 0 },
    /^it ended as cancelled at 2030-01-02T03:04:05\.000Z$/,
  ],
  [{ type: 'ended', state: 'discarded', endedAt: AT, attempts: 2, why: 'too late' }, /after 2 attempts: too late$/],
  [{ type: 'delayed', dueAt: AT }, /^it is delayed until 2030-/],
  [{ type: 'snoozed', dueAt: AT }, /asked to come back at 2030-/],
  [
    { type: 'retry', dueAt: AT, attempts: 1, error: { name: 'Error', message: 'no luck' } },
    /2030-.* after 1 attempt: no luck$/,
  ],
  [{ type: 'unknown-task', task: 'a.b' }, /handles its task a\.b/],
  [{ type: 'place-stopped', place: 'feed', error: new Error('no luck') }, /^feed has given up: no luck$/],
  [{ type: 'place-paused', place: 'feed' }, /^feed is paused$/],
  [{ type: 'task-paused', task: 'a.b' }, /^its task a\.b is paused$/],
  [{ type: 'concurrency', of: 'key', key: '"x"', used: 2, limit: 2 }, /^2 of the key "x" run, and 2 may at once$/],
  [
    { type: 'rate', of: 'task', key: undefined, limit: 5, perMs: 200, burst: 0, nextAt: AT },
    /^its task may start 5 in 200 ms: the next one at 2030-/,
  ],
  [
    { type: 'rate', of: 'place', key: undefined, limit: 5, perMs: 200, burst: 0, nextAt: undefined },
    /^its place may start 5 in 200 ms: those that are claimed have to start first$/,
  ],
  [{ type: 'fair-turn', claimed: 1 }, /^1 job of its task is claimed, as many as keep its place busy/],
  [{ type: 'draining' }, /the runtime stops/],
  [{ type: 'suspect', crashes: 3 }, /3 deaths of the service, and waits for its trial, alone in a process/],
  [
    { type: 'behind', place: 'feed', ahead: { jobs: 1, counted: 'all' }, inHand: 2, running: 3 },
    /^it waits for feed, behind 1 job in the journal, 2 in hand and 3 running$/,
  ],
  [
    { type: 'behind', place: 'feed', ahead: { jobs: 10_000, counted: 'at-least' }, inHand: 0, running: 0 },
    /behind more than 10000 jobs/,
  ],
  [{ type: 'in-hand', place: 'feed', ahead: 0, running: 1 }, /^feed has it in hand, behind 0 jobs and 1 running$/],
  [
    { type: 'offered', place: 'feed', thread: 1, verdict: 'idle', behind: undefined },
    /^it was handed to thread 1 of feed, which runs nothing else \(idle\)$/,
  ],
  [
    {
      type: 'offered',
      place: 'net',
      thread: 'loop',
      verdict: 'waiting',
      behind: { id: 'j-1', task: 'a', runningMs: 12_345 },
    },
    /^it was handed to the service's own loop \(net\), behind j-1 of a, which has run for 12 s \(waiting\)$/,
  ],
  [{ type: 'running', ...on }, /^it has run for 1235 ms on thread 1 of feed, which is spinning$/],
  [{ type: 'cancel-requested', ...on }, /^somebody wants it cancelled; it has run for 1235 ms/],
  [{ type: 'given-up', ...on }, /^it was given up after 1235 ms, and thread 1 of feed has not exited \(spinning\)/],
  [{ type: 'not-written' }, /could not be written: it runs again at the next start$/],
  [{ type: 'on-its-way' }, /on its way$/],
]

describe('the sentence of a reason', () => {
  for (const [reason, sentence] of sentences) {
    it(`says ${reason.type}: ${sentence.source}`, () => assert.match(sentenceOf(reason), sentence))
  }
})
