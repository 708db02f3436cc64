import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { JournalClient, type JournalListener } from '../../../runtime/journal/client.ts'
import type { NewJob } from '../../../runtime/journal/gather.ts'
import type { Group, OpenedJournal } from '../../../runtime/journal/protocol.ts'

const OPENED: OpenedJournal = {
  name: 'test00',
  epoch: 1,
  commits: 0,
  firstNumber: 1,
  numbersUntil: 1_000,
  tasks: ['echo'],
  nextDueAt: undefined,
  recovered: 0,
  waiting: 0,
  suspects: 0,
}

function listener(heard: string[]): JournalListener {
  return {
    claimed: () => {},
    settled: () => {},
    expired: () => {},
    wished: () => {},
    unsettled: () => {},
    nextDueAt: () => {},
    suspects: () => {},
    learnedTasks: () => {},
    health: (state) => void heard.push(state),
    down: () => void heard.push('down'),
  }
}

function job(number: number, heard: string[], key?: string): NewJob {
  return {
    number,
    task: 0,
    input: '1',
    extra: key === undefined ? null : { key },
    accepted: (as, how) => void heard.push(`accepted ${as} ${how}`),
    refused: (error) => void heard.push(`refused ${(error as { code: string }).code}`),
  }
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** A client whose groups are caught, and whose thread dies before it answers. */
async function withLostGroup(...keys: (string | undefined)[]) {
  const heard: string[] = []
  const client = new JournalClient(new ManualClock(), listener(heard))
  const groups: Group[] = []
  const link = { send: (group: Group) => void groups.push(group) }
  client.attach(link, OPENED)
  keys.forEach((key, at) => client.append(job(at + 1, heard, key)))
  await turn()
  assert.equal(groups.length, 1)
  client.lost(new Error('the thread died'))
  groups.length = 0
  return { heard, client, groups, link }
}

describe('a group whose reply was lost with the journal thread', () => {
  it('is acknowledged and not sent again, if it was committed', async () => {
    const { heard, client, groups, link } = await withLostGroup(undefined, undefined)
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    assert.deepEqual(heard, ['down', 'accepted 1 new', 'accepted 2 new'])
    assert.deepEqual(groups, [])
  })

  it('is sent again, if it was not', async () => {
    const { heard, client, groups, link } = await withLostGroup(undefined, undefined)
    client.attach(link, { ...OPENED, commits: 0 })
    await turn()
    assert.deepEqual(heard, ['down'])
    assert.deepEqual(
      groups.map(({ jobs }) => jobs?.numbers),
      [[1, 2]],
    )
  })

  it('asks the journal who has a key', async () => {
    const { heard, client, groups, link } = await withLostGroup('a', 'b')
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    assert.deepEqual(
      groups.flatMap(({ requests }) => requests),
      [
        { type: 'key-holder', task: 0, key: 'a' },
        { type: 'key-holder', task: 0, key: 'b' },
      ],
    )
    const [group] = groups as [Group]
    client.received({
      type: 'reply',
      reply: {
        number: group.number,
        appended: new Uint8Array(0),
        firstOrd: 0,
        duplicates: [],
        failures: [],
        claims: [],
        expired: [],
        wished: [],
        stale: [],
        failedSettles: [],
        answers: [
          { type: 'holder', number: 1 },
          { type: 'holder', number: 77 },
        ],
        nextDueAt: undefined,
        numbersUntil: 1_000,
        waiting: 0,
        suspects: 0,
        newTasks: [],
      },
    })
    await turn()
    assert.deepEqual(heard, ['down', 'accepted 1 new', 'accepted 77 duplicate'])
  })

  it('is of unknown outcome when nobody can be asked any more', async () => {
    const { heard, client, link } = await withLostGroup('a', undefined)
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    client.lost(new Error('died again'))
    client.abandon(new Error('for good'))
    await turn()
    assert.deepEqual(heard, ['down', 'accepted 2 new', 'down', 'refused MILLRACE_OUTCOME_UNKNOWN'])
  })
})
