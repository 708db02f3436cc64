import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { JournalClient } from '../../../../runtime/journal/owner/client.ts'
import type { JournalListener } from '../../../../runtime/journal/owner/listener.ts'
import { adopt } from '../../../../runtime/journal/open.ts'
import type { Group, TakenAnswer } from '../../../../runtime/journal/protocol.ts'
import { NOTHING_RECOVERED } from '../../../../runtime/journal/store/recover.ts'
import { TAKEN_NUMBERS_FROM } from '../../../../runtime/journal/schema/schema.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import type { ClaimedJob } from '../../../../runtime/messages.ts'
import { DEAF } from '../../../helpers/loop-journal.ts'
import { START } from '../../../helpers/journal-openers.ts'

/** The owner's side on a real journal, whose commits and whose replies are let through one by one. */
async function taking() {
  const claimed: ClaimedJob[] = []
  const answers: [string, TakenAnswer][] = []
  const listener: JournalListener = { ...DEAF, claimed: (jobs) => void claimed.push(...jobs) }
  const client = new JournalClient(new ManualClock(), listener)
  const { store, opened } = adopt(openDatabase(':memory:'), START)
  const groups: Group[] = []
  const link = { send: (group: Group) => void groups.push(group) }
  client.attach(link, opened)
  const commit = async () => {
    await turn()
    return store.commit(groups.splice(0))
  }
  const reply = async () => {
    for (const each of await commit()) client.received({ type: 'reply', reply: each })
  }
  const die = () => {
    groups.length = 0
    client.lost(new Error('the thread died'))
    client.attach(link, store.describe(NOTHING_RECOVERED, store.ledger.nextNumber))
  }
  void client.learn(['echo'], 'some')
  client.route({ places: [{ name: 'a', capacity: { jobs: 1, bytes: 2 ** 20 }, parallel: 1 }], placeOf: [0] })
  await reply()
  let next = TAKEN_NUMBERS_FROM
  const take = (id: string, claim = 2 ** 20): number => {
    const number = next++
    const facts = { claim, attempt: 3, createdAt: 1, priority: 9 }
    const job = { number, task: 0, input: `"${id}"`, id, ...facts }
    client.take({ job, answered: (answer) => void answers.push([id, answer]) })
    return number
  }
  return { client, store, claimed, answers, take, commit, reply, die }
}

const WAITS: TakenAnswer = { type: 'taken', claimed: 'no' }

describe('the owner that takes deliveries', () => {
  it('hears what became of each, and has those in hand that are claimed at once', async () => {
    const { take, answers, claimed, reply } = await taking()
    const number = take('a')
    take('b')
    await reply()
    assert.deepEqual(answers, [
      ['a', { type: 'taken', claimed: 'yes' }],
      ['b', WAITS],
    ])
    assert.deepEqual(claimed, [
      { number, task: 0, input: '"a"', claim: 1, attempt: 3, rank: 0, ord: 1, extra: { overrides: '{"id":"a"}' } },
    ])
  })

  it('sends as many with a group as it may have, and the rest with the next ones', async () => {
    const { take, answers, reply } = await taking()
    for (let n = 0; n < 2_500; n++) take(`a${n}`)
    await reply()
    const first = answers.length
    await reply()
    await reply()
    assert.deepEqual([first <= 2_000, answers.length], [true, 2_500])
  })

  it('sends them again when the thread died before they were committed', async () => {
    const { take, answers, reply, die } = await taking()
    take('a')
    await turn()
    die()
    take('b')
    await reply()
    assert.deepEqual(answers.map(([id, { type }]) => `${id} ${type}`).sort(), ['a taken', 'b taken'])
  })

  it('asks again when their reply was lost: what is here waits, and what it held goes back', async () => {
    const { client, take, answers, claimed, commit, reply, die } = await taking()
    const number = take('a')
    // Which is written, and says that the group was committed.
    void client.learn(['another'], 'some')
    await commit()
    die()
    const [place, held] = [{ name: 'a', capacity: { jobs: 1, bytes: 2 ** 20 }, parallel: 1 }, new Map()]
    void client.request({ type: 'reconcile', held })
    client.route({ places: [place], placeOf: [0] })
    await reply()
    assert.deepEqual(answers, [['a', WAITS]])
    assert.deepEqual(
      claimed.map((job) => [job.number, job.claim]),
      [[number, 2]],
    )
  })

  it('hears then that one has ended, if it has', async () => {
    const { take, answers, commit, reply, die, store } = await taking()
    take('a')
    await commit()
    store.ledger.db.exec(`
      DELETE FROM millrace_jobs;
      INSERT INTO millrace_taken VALUES ('a', ${2 ** 20}, ${START + 5}, NULL)`)
    for (const [number] of store.ledger.late) store.ledger.late.take(number)
    store.ledger.recount()
    die()
    await reply()
    assert.deepEqual(answers, [['a', { type: 'ended', verdict: { type: 'done' } }]])
  })

  it('is told that they failed where the journal is full or gone, so that their broker keeps them', async () => {
    const { client, take, answers } = await taking()
    take('a')
    await turn()
    const fault = { kind: 'disk-full', error: { name: 'Error', message: 'full' } } as const
    client.received({ type: 'refused', number: 2, fault })
    take('b')
    client.lost(new Error('gone'))
    client.abandon('abcdef', new Error('gone'))
    assert.deepEqual(
      answers.map(([id, answer]) => [id, answer.type]),
      [
        ['a', 'failed'],
        ['b', 'failed'],
      ],
    )
  })

  it('hears the same of those that wait to be sent', async () => {
    const { client, take, answers } = await taking()
    take('a')
    client.abandon('abcdef', new Error('gone'))
    assert.deepEqual(
      answers.map(([id, answer]) => [id, answer.type]),
      [['a', 'failed']],
    )
  })
})
