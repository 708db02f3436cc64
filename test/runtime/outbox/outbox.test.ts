import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Message, PublishResult } from '../../../lib/broker.ts'
import { HELD, UNROUTABLE } from '../../../lib/broker.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { ClaimedJob, Ended } from '../../../runtime/messages.ts'
import { type Kept, Outbox } from '../../../runtime/outbox/outbox.ts'
import { claimOf, claimsOf } from '../../helpers/claims.ts'

const lost = new MillraceError('MILLRACE_BROKER_LOST', 'the connection was lost')

/** An outbox whose broker answers what the test says. */
function outboxOf() {
  const clock = new ManualClock(1_000)
  const ended: Ended[] = []
  const kept: Kept[] = []
  const sent: { readonly messages: readonly Message[]; answer(result: PublishResult): Promise<void> }[] = []
  const outbox = new Outbox({
    index: 0,
    clock,
    listener: { ended: (_, group) => void ended.push(...group), room: () => {} },
    messageOf(job) {
      if (job.input === 'damaged') throw new Error('no message')
      return { id: `job.${job.number}`, queue: job.task === 0 ? 'feed' : 'other', body: Buffer.from(job.input) }
    },
    publish: (messages) =>
      new Promise((resolve) => {
        sent.push({
          messages,
          async answer(result) {
            resolve(messages.map(() => result))
            await turn()
          },
        })
      }),
    kept: (news) => void kept.push(news),
  })
  const pull = (...jobs: ClaimedJob[]) => {
    outbox.pull({
      get size() {
        return jobs.length
      },
      take: () => jobs.shift(),
    })
    return jobs.length
  }
  const endings = () => ended.map(({ job, outcome }) => [job.number, outcome.type])
  return { clock, outbox, pull, sent, kept, ended, endings }
}

describe('the outbox', () => {
  it('sends what it takes in one group, and ends it when the broker holds it', async () => {
    const { outbox, pull, sent, endings } = outboxOf()
    pull(...claimsOf(3))
    assert.deepEqual(
      sent.map(({ messages }) => messages.map(({ id }) => id)),
      [['job.1', 'job.2', 'job.3']],
    )
    assert.equal(outbox.claims().length, 3)
    assert.deepEqual(endings(), [])
    await sent[0]?.answer(HELD)
    assert.deepEqual(
      endings(),
      [1, 2, 3].map((number) => [number, 'held']),
    )
    assert.deepEqual(outbox.claims(), [])
  })

  it('has no more under way than its window, however much there is', async () => {
    const { outbox, pull, sent } = outboxOf()
    assert.equal(pull(...claimsOf(2_000)), 1_500)
    assert.equal(pull(claimOf({ ord: 9_999 })), 1)
    await sent[0]?.answer({ type: 'unconfirmed', error: lost })
    assert.equal(pull(claimOf({ ord: 9_999 })), 1)
    assert.equal(outbox.claims().length, 500)
  })

  it('sends the same message again when nobody knows, later and later', async () => {
    const { clock, pull, sent, kept, endings } = outboxOf()
    pull(claimOf({ ord: 7 }))
    const waits: number[] = []
    for (const ms of [1_000, 2_000, 4_000]) {
      await sent.at(-1)?.answer({ type: 'unconfirmed', error: lost })
      const before = sent.length
      clock.advance(ms - 1)
      assert.equal(sent.length, before)
      clock.advance(1)
      assert.equal(sent.length, before + 1)
      waits.push(kept.at(-1)?.retryMs ?? 0)
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000])
    assert.deepEqual(new Set(sent.map(({ messages }) => messages[0]?.id)), new Set(['job.7']))
    await sent.at(-1)?.answer(HELD)
    assert.deepEqual(endings(), [[7, 'held']])
  })

  it('sends again at once when the broker is back', async () => {
    const { outbox, pull, sent } = outboxOf()
    pull(claimOf({ ord: 7 }))
    await sent[0]?.answer({ type: 'unconfirmed', error: lost })
    outbox.wake()
    assert.equal(sent.length, 2)
  })

  it('puts off what has no queue, and holds up no other', async () => {
    const { pull, sent, kept, ended, endings } = outboxOf()
    pull(claimOf({ ord: 1 }))
    await sent[0]?.answer(UNROUTABLE)
    pull(claimOf({ ord: 2 }))
    await sent[1]?.answer(UNROUTABLE)
    pull(claimOf({ ord: 3, task: 1 }))
    await sent[2]?.answer(HELD)
    assert.deepEqual(endings(), [
      [1, 'put-off'],
      [2, 'put-off'],
      [3, 'held'],
    ])
    const delays = ended.map(({ outcome }) => (outcome.type === 'put-off' ? outcome.delayMs : 0))
    assert.deepEqual(delays, [1_000, 2_000, 0])
    assert.deepEqual(
      kept.map(({ queue, because }) => [queue, because]),
      [
        ['feed', 'unroutable'],
        ['feed', 'unroutable'],
      ],
    )
  })

  it('ends as failed what no broker will ever take, and what no message can be made of', async () => {
    const { pull, sent, ended } = outboxOf()
    pull(claimOf({ ord: 1 }), claimOf({ ord: 2, input: 'damaged' }))
    await sent[0]?.answer({ type: 'refused', again: 'never', error: lost })
    assert.deepEqual(
      ended.map(({ job, outcome }) => [job.number, outcome.type === 'failed' && outcome.retry]),
      [
        [2, 'never'],
        [1, 'never'],
      ],
    )
  })

  it('gives back at a stop what was not answered, and takes no answer for it any more', async () => {
    const { clock, outbox, pull, sent, endings } = outboxOf()
    pull(...claimsOf(2))
    const stopped = outbox.stop(60_000)
    clock.advance(1_000)
    await stopped
    assert.deepEqual(endings(), [
      [1, 'interrupted'],
      [2, 'interrupted'],
    ])
    await sent[0]?.answer(HELD)
    assert.equal(endings().length, 2)
    assert.equal(pull(claimOf({ ord: 5 })), 1)
  })

  it('waits at a stop for answers that come', async () => {
    const { outbox, pull, sent, endings } = outboxOf()
    pull(...claimsOf(2))
    const stopped = outbox.stop(60_000)
    await sent[0]?.answer(HELD)
    await stopped
    assert.deepEqual(endings(), [
      [1, 'held'],
      [2, 'held'],
    ])
  })
})
