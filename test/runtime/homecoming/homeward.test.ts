import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Message, PublishResult } from '../../../lib/broker.ts'
import { HELD, UNROUTABLE } from '../../../lib/broker.ts'
import { PUBLICATIONS } from '../../../lib/envelope.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { decodeOutcomes, encodeOutcome, encodeUnrun } from '../../../lib/homeward.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Homeward, MARK_MS } from '../../../runtime/homecoming/homeward.ts'
import type { UnsentOutcomes } from '../../../runtime/journal/protocol.ts'

const lost = new MillraceError('MILLRACE_BROKER_LOST', 'the connection was lost')

function homeOf(seq: number, queue = 'node.a', output = ''): UnsentOutcomes {
  const claim = PUBLICATIONS
  const text = encodeOutcome({ id: idOf(seq), task: 'work', claim, transition: 'succeed', attempt: 1, output })
  return { seq, queue, outcomes: 1, text }
}

function idOf(seq: number): string {
  return `aaaaaa-${seq}`
}

/** Sends to a broker that answers as the test says; `stored` is what the journal has. */
function homewardOf(answer: (message: Message) => PublishResult = () => HELD, stored: UnsentOutcomes[] = []) {
  const clock = new ManualClock(1_000)
  const sent: Message[] = []
  const marked: number[] = []
  const dropped: string[] = []
  let reads = 0
  const homeward = new Homeward({
    clock,
    node: () => 'me',
    async publish(messages) {
      sent.push(...messages)
      return messages.map(answer)
    },
    async sent(seqs) {
      marked.push(...seqs)
    },
    async unsent(after) {
      reads++
      return stored.filter(({ seq }) => seq > after && !marked.includes(seq)).slice(0, 500)
    },
    dropped: (id) => void dropped.push(id),
    failed: (error) => assert.fail(error),
  })
  const outcomes = () => sent.flatMap(({ body }) => decodeOutcomes(body).map(({ id }) => id))
  return { clock, homeward, sent, marked, dropped, outcomes, stored, reads: () => reads }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}

/** Opened, with an empty journal read. */
async function opened(answer?: (message: Message) => PublishResult) {
  const parts = homewardOf(answer)
  parts.homeward.open()
  await settle()
  return parts
}

describe('outcomes on their way home', () => {
  it('go many to a message, each to its queue, and are marked as sent when the broker holds them', async () => {
    const { clock, homeward, sent, marked } = await opened()
    homeward.add([homeOf(1), homeOf(2), homeOf(3, 'node.b')])
    await settle()
    assert.deepEqual(
      sent.map(({ queue, body }) => [queue, decodeOutcomes(body).length]),
      [
        ['node.a', 2],
        ['node.b', 1],
      ],
    )
    assert.deepEqual(marked, [])
    homeward.add([homeOf(4)])
    await settle()
    clock.advance(MARK_MS)
    assert.deepEqual(marked, [1, 2, 3, 4])
    homeward.add([homeOf(5)])
    await settle()
    homeward.close()
    assert.deepEqual(marked, [1, 2, 3, 4, 5])
  })

  it('are at most 200 or 256 KiB in a message, but for one that is larger alone', async () => {
    const { homeward, sent } = await opened()
    homeward.add(Array.from({ length: 450 }, (_, at) => homeOf(at + 1)))
    await settle()
    assert.deepEqual(
      sent.map(({ body }) => decodeOutcomes(body).length),
      [200, 200, 50],
    )
    sent.splice(0)
    homeward.add(Array.from({ length: 3 }, (_, at) => homeOf(at + 501, 'node.a', `"${'x'.repeat(300_000)}"`)))
    await settle()
    assert.deepEqual(
      sent.map(({ body }) => decodeOutcomes(body).length),
      [1, 1, 1],
    )
  })

  it('are sent again when nobody knows whether they were held, and dropped where their node is gone', async () => {
    let answer: PublishResult = { type: 'unconfirmed', error: lost }
    const { clock, homeward, sent, marked, dropped } = await opened(() => answer)
    homeward.add([homeOf(1)])
    await settle()
    assert.deepEqual([sent.length, marked], [1, []])
    answer = UNROUTABLE
    clock.advance(1_000)
    await settle()
    clock.advance(MARK_MS)
    assert.deepEqual([sent.length, marked, dropped], [2, [1], [idOf(1)]])
  })

  it('are read from the journal at first, all of them, and none twice', async () => {
    const stored = Array.from({ length: 1_200 }, (_, at) => homeOf(at + 1))
    const { clock, homeward, outcomes, marked } = homewardOf(() => HELD, stored)
    homeward.open()
    await settle()
    await settle()
    assert.equal(new Set(outcomes()).size, 1_200)
    assert.equal(outcomes().length, 1_200)
    clock.advance(MARK_MS)
    assert.equal(marked.length, 1_200)
  })

  it('wait in the journal when there are too many in memory', async () => {
    let answer: PublishResult = { type: 'unconfirmed', error: lost }
    const { homeward, clock, reads, sent, stored, marked } = await opened(() => answer)
    const before = reads()
    for (let seq = 1; seq <= 6_000; seq++) {
      stored.push(homeOf(seq))
      homeward.add([homeOf(seq)])
    }
    await settle()
    const tried = sent.splice(0).reduce((sum, { body }) => sum + decodeOutcomes(body).length, 0)
    assert.deepEqual([tried, reads() - before], [5_000, 0])
    answer = HELD
    clock.advance(1_000)
    await settle()
    await settle()
    clock.advance(MARK_MS)
    assert.deepEqual([marked.length, new Set(marked).size], [6_000, 6_000])
  })

  it('are read from the journal when nobody has told of them, and those that are known are not sent twice', async () => {
    const { homeward, outcomes, stored } = await opened()
    homeward.add([homeOf(1)])
    stored.push(homeOf(1), homeOf(2))
    homeward.readRest()
    homeward.add([homeOf(2), homeOf(3)])
    stored.push(homeOf(3))
    await settle()
    await settle()
    assert.deepEqual(outcomes(), [1, 2, 3].map(idOf))
  })

  it('say of a job that has not run how it ended', async () => {
    const { homeward, sent } = await opened()
    const job = { id: idOf(1), task: 'work', claim: PUBLICATIONS, attempt: 0 }
    const done = homeward.send('node.a', encodeUnrun(job, 'cancel-running'))
    await settle()
    await done
    assert.equal(decodeOutcomes((sent[0] as Message).body)[0]?.transition, 'cancel-running')
  })
})
