import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { MillraceError } from '../../../../lib/errors.ts'
import { stateCodes } from '../../../../lib/job-state.ts'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { DEAF } from '../../../helpers/loop-journal.ts'
import { claimOf } from '../../../helpers/claims.ts'
import { JournalClient } from '../../../../runtime/journal/owner/client.ts'
import type { JournalListener } from '../../../../runtime/journal/owner/listener.ts'
import type { NewJob } from '../../../../runtime/journal/owner/gather.ts'
import { NOTHING_RECOVERED } from '../../../../runtime/journal/store/recover.ts'
import type { Group, OpenedJournal, Reply, Request } from '../../../../runtime/journal/protocol.ts'

const OPENED: OpenedJournal = {
  name: 'test00',
  epoch: 1,
  commits: 0,
  firstNumber: 1,
  numbersUntil: 1_000,
  tasks: ['echo'],
  nextDueAt: undefined,
  recovered: NOTHING_RECOVERED,
  waiting: 0,
  claimable: 0,
  suspects: 0,
  settings: [],
}

const REPLY: Reply = {
  number: 0,
  appended: new Uint8Array(0),
  firstOrd: 0,
  roomOf: [],
  duplicates: [],
  failures: [],
  claims: [],
  expired: [],
  wished: [],
  stale: [],
  failedSettles: [],
  answers: [],
  nextDueAt: undefined,
  numbersUntil: 1_000,
  waiting: 0,
  claimable: 0,
  suspects: 0,
  newTasks: [],
}

function listener(heard: string[]): JournalListener {
  return {
    ...DEAF,
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

function replyTo({ number }: Group, reply: Partial<Reply> = {}): Reply {
  return { ...REPLY, number, ...reply }
}

const SUCCESS = { type: 'succeeded', output: '' } as const

/** Nothing has ended in a lost commit. */
const NONE_MISSED = { type: 'ended-at', jobs: [] } as const

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

describe('how many jobs wait', () => {
  it('is any number while the journal does not know where they run', async () => {
    const client = new JournalClient(new ManualClock(), listener([]))
    const groups: Group[] = []
    const link = { send: (group: Group) => void groups.push(group) }
    client.attach(link, OPENED)
    for (let opening = 0; opening < 2; opening++) {
      assert.equal(client.waiting, Number.POSITIVE_INFINITY)
      client.route({ places: [], placeOf: [] })
      await turn()
      client.received({ type: 'reply', reply: { ...replyTo(groups.pop() as Group), waiting: 3 } })
      assert.equal(client.waiting, 3)
      client.lost(new Error('the thread died'))
      client.attach(link, OPENED)
    }
  })
})

describe('a claim', () => {
  for (const [jobs, bytes, groupsAfter] of [
    [1, 10, 1],
    [512, 10, 2],
    [2, 128 * 1024, 2],
  ] as const) {
    it(`of ${jobs} jobs with ${bytes} bytes each is followed by ${groupsAfter - 1} groups that ask for more`, async () => {
      const client = new JournalClient(new ManualClock(), listener([]))
      const groups: Group[] = []
      client.attach({ send: (group: Group) => void groups.push(group) }, OPENED)
      client.nudge()
      await turn()
      const each = <T>(value: T): T[] => Array.from({ length: jobs }, () => value)
      const numbers = each(1)
      const of = { numbers, tasks: each(0), claims: numbers, attempts: numbers, ranks: numbers, ords: numbers }
      const claim = { ...of, place: 0, inputs: each('x'.repeat(bytes)), extras: each(null) }
      client.received({ type: 'reply', reply: replyTo(groups[0] as Group, { claims: [claim], claimable: 5 }) })
      await turn()
      assert.equal(groups.length, groupsAfter)
    })
  }
})

describe('a few outcomes', () => {
  const outcome = (number: number) => ({ job: claimOf({ number }), outcome: SUCCESS, startedAt: 1, endedAt: 2 })

  async function withJobUnderWay() {
    const groups: Group[] = []
    const heard: string[] = []
    const client = new JournalClient(new ManualClock(), listener(heard))
    client.attach({ send: (group: Group) => void groups.push(group) }, OPENED)
    client.append({ ...job(1, heard), accepted: () => client.append(job(2, heard)) })
    await turn()
    assert.equal(groups.length, 1)
    const answer = async () => {
      const appended = new Uint8Array(1)
      client.received({ type: 'reply', reply: replyTo(groups.at(-1) as Group, { appended }) })
      await turn()
    }
    return { client, groups, answer }
  }

  it('are sent at once while nothing is under way', async () => {
    const { client, groups, answer } = await withJobUnderWay()
    await answer()
    await answer()
    client.finish(outcome(3))
    await turn()
    assert.deepEqual([...(groups.at(-1)?.done ?? [])], [3, 1])
  })

  it('wait for the reply that is on its way, and go with what it lets a caller enqueue', async () => {
    const { client, groups, answer } = await withJobUnderWay()
    client.finish(outcome(1))
    await turn()
    assert.equal(groups.length, 1)
    await answer()
    assert.equal(groups.length, 2)
    assert.deepEqual([groups[1]?.jobs?.numbers, [...(groups[1]?.done ?? [])]], [[2], [1, 1]])
  })

  it('do not wait where there are many, or somebody waits for them', async () => {
    const many = await withJobUnderWay()
    for (let number = 10; number < 100; number++) many.client.finish(outcome(number))
    await turn()
    assert.equal(many.groups.length, 2)
    const awaited = await withJobUnderWay()
    awaited.client.finish(outcome(1))
    void awaited.client.barrier()
    await turn()
    assert.equal(awaited.groups.length, 2)
  })
})

describe('the death of its thread', () => {
  it('is told with what the thread has said of it, and not with what an earlier one has', () => {
    const told: string[] = []
    const client = new JournalClient(new ManualClock(), { ...DEAF, down: ({ message }) => void told.push(message) })
    const link = { send: () => undefined }
    client.attach(link, OPENED)
    client.received({ type: 'fault', fault: { kind: 'io', error: { name: 'SqliteError', message: 'disk I/O' } } })
    client.lost(new Error('exited'))
    client.attach(link, OPENED)
    client.lost(new Error('out of memory'))
    assert.deepEqual(told, ['disk I/O', 'out of memory'])
  })
})

describe('a group whose reply was lost with the journal thread', () => {
  it('is acknowledged and not sent again as far as it was committed', async () => {
    const { heard, client, groups, link } = await withLostGroup(undefined, undefined)
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    const [group, ...more] = groups as [Group]
    assert.deepEqual([group.jobs, more], [undefined, []])
    const holders = [1, 2].map((number) => ({ type: 'holder', number }) as const)
    client.received({ type: 'reply', reply: { ...replyTo(group), answers: [NONE_MISSED, ...holders] } })
    await turn()
    assert.deepEqual(heard, ['down', 'accepted 1 new', 'accepted 2 new'])
  })

  it('has its requests asked again, before those that came later', async () => {
    const { client, groups, link } = await withLostGroup(undefined)
    const ask = (number: number) => void client.request({ type: 'revive', number }).catch(() => {})
    client.attach(link, OPENED)
    ask(1)
    await turn()
    assert.equal(groups.length, 1)
    client.lost(new Error('died again'))
    ask(2)
    groups.length = 0
    client.attach(link, OPENED)
    await turn()
    assert.deepEqual(
      groups.flatMap(({ requests }) => requests.map((request) => (request as { number?: number }).number)),
      [1, 2],
    )
  })

  it('is refused where it was committed without its job, since the disk was full', async () => {
    const { heard, client, groups, link } = await withLostGroup(undefined, 'k')
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    const [group] = groups as [Group]
    const nobody = [1, 2].map(() => ({ type: 'holder', number: undefined }) as const)
    client.received({ type: 'reply', reply: { ...replyTo(group), answers: [NONE_MISSED, ...nobody] } })
    await turn()
    assert.deepEqual(heard, ['down', 'refused MILLRACE_JOURNAL_IO', 'refused MILLRACE_OUTCOME_UNKNOWN'])
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
        { type: 'ended-at', instants: [0] },
        { type: 'lost-job', number: 1, task: 0, key: 'a' },
        { type: 'lost-job', number: 2, task: 0, key: 'b' },
      ],
    )
    const [group] = groups as [Group]
    const answers = [NONE_MISSED, { type: 'holder', number: 1 }, { type: 'holder', number: 77 }] as const
    client.received({ type: 'reply', reply: replyTo(group, { answers }) })
    await turn()
    assert.deepEqual(heard, ['down', 'accepted 1 new', 'accepted 77 duplicate'])
  })

  it('is of unknown outcome to who has asked for a change, and asked again for what the owner needs', async () => {
    const heard: string[] = []
    const client = new JournalClient(new ManualClock(), listener(heard))
    const groups: Group[] = []
    const link = { send: (group: Group) => void groups.push(group) }
    client.attach(link, OPENED)
    const cancelled = client.request({ type: 'cancel', number: 1 })
    const reconciled = client.request({ type: 'reconcile', held: new Map() })
    await turn()
    client.lost(new Error('the thread died'))
    client.attach(link, { ...OPENED, commits: 1 })
    await assert.rejects(cancelled, { code: 'MILLRACE_OUTCOME_UNKNOWN' })
    await turn()
    assert.deepEqual(typesOf(groups.slice(1)), ['ended-at', 'reconcile'])
    const many = { type: 'many', count: 3, more: 'no' } as const
    client.received({ type: 'reply', reply: replyTo(groups[1] as Group, { answers: [NONE_MISSED, many] }) })
    assert.deepEqual(await reconciled, many)
  })

  it('may have ended jobs by itself, which is asked before anything else can change them', async () => {
    const missed: unknown[] = []
    const client = new JournalClient(new ManualClock(), { ...DEAF, missed: (ended) => void missed.push(...ended) })
    const groups: Group[] = []
    const link = { send: (group: Group) => void groups.push(group) }
    client.attach(link, OPENED)
    client.nudge()
    await turn()
    client.lost(new Error('the thread died'))
    const revived = client.request({ type: 'revive', number: 3 })
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    assert.deepEqual(typesOf(groups.slice(1)), ['ended-at', 'revive'])
    const ended = { type: 'ended-at', jobs: [{ number: 3, task: 0, state: stateCodes.cancelled }] } as const
    client.received({
      type: 'reply',
      reply: replyTo(groups[1] as Group, { answers: [ended, { type: 'revived' }] }),
    })
    assert.equal((await revived).type, 'revived')
    assert.deepEqual(missed, ended.jobs)
  })

  it('is of unknown outcome when nobody can be asked any more', async () => {
    const { heard, client, link } = await withLostGroup('a', undefined)
    client.attach(link, { ...OPENED, commits: 1 })
    await turn()
    client.lost(new Error('died again'))
    client.abandon('abcdef', new Error('for good'))
    await turn()
    assert.deepEqual(heard, ['down', 'down', 'refused MILLRACE_OUTCOME_UNKNOWN', 'refused MILLRACE_OUTCOME_UNKNOWN'])
  })

  it('is of unknown outcome too when it is never opened again, unless another process has taken the journal over', async () => {
    const ends = { MILLRACE_OUTCOME_UNKNOWN: new Error('died too often'), MILLRACE_JOURNAL_LOST: takenOver() }
    for (const [code, end] of Object.entries(ends)) {
      const { heard, client } = await withLostGroup('a', undefined)
      client.abandon('abcdef', end)
      assert.deepEqual(heard, ['down', `refused ${code}`, `refused ${code}`])
    }
  })
})

function takenOver(): MillraceError {
  return new MillraceError('MILLRACE_JOURNAL_LOST', 'another process has the journal; expected none; stop one')
}

function typesOf(groups: readonly Group[]): Request['type'][] {
  return groups.flatMap(({ requests }) => requests.map(({ type }) => type))
}

describe('a journal that refuses what is new', () => {
  it('keeps what has to be written, and who waits for it, until it is written', async () => {
    const heard: string[] = []
    const clock = new ManualClock()
    const client = new JournalClient(clock, listener(heard))
    const groups: Group[] = []
    client.attach({ send: (group) => void groups.push(group) }, OPENED)
    client.append(job(1, heard))
    client.finish({ job: claimOf({ number: 9 }), outcome: SUCCESS, startedAt: 1, endedAt: 2 })
    const asked = [client.request({ type: 'cancel', number: 1 }), client.request({ type: 'interrupted', numbers: [7] })]
    void client.barrier().then(() => heard.push('passed'))
    await turn()
    const fault = { kind: 'disk-full', error: { name: 'SqliteError', message: 'full' } } as const
    client.received({ type: 'refused', number: 1, fault })
    assert.deepEqual(heard, ['refused MILLRACE_DISK_FULL', 'degraded'])
    await assert.rejects(asked[0] as Promise<unknown>, { code: 'MILLRACE_DISK_FULL' })
    await assert.rejects(client.request({ type: 'revive', number: 1 }), { code: 'MILLRACE_DISK_FULL' })
    client.append(job(2, heard))
    await turn()
    assert.deepEqual(heard.slice(2), ['refused MILLRACE_DISK_FULL'], 'nobody is told that it is written')
    clock.advance(1_000)
    const again = groups[1] as Group
    assert.deepEqual([again.done?.[0], again.jobs, typesOf([again])], [9, undefined, ['interrupted']])
    client.received({ type: 'reply', reply: replyTo(again, { answers: [{ type: 'many', count: 1, more: 'no' }] }) })
    await turn()
    assert.deepEqual(heard.slice(3), ['healthy', 'passed'])
    await asked[1]
  })

  it('refuses and is tried again after its thread has died too, and tells when it takes jobs again', async () => {
    const heard: string[] = []
    const clock = new ManualClock()
    const client = new JournalClient(clock, listener(heard))
    const groups: Group[] = []
    const link = { send: (group: Group) => void groups.push(group) }
    client.attach(link, OPENED)
    client.append(job(1, heard))
    await turn()
    const fault = { kind: 'disk-full', error: { name: 'SqliteError', message: 'full' } } as const
    client.received({ type: 'refused', number: 1, fault })
    client.lost(new Error('the thread died'))
    client.attach(link, OPENED)
    client.append(job(2, heard))
    await turn()
    assert.deepEqual(heard, ['refused MILLRACE_DISK_FULL', 'degraded', 'down', 'refused MILLRACE_DISK_FULL'])
    clock.advance(1_000)
    client.received({ type: 'reply', reply: replyTo(groups[1] as Group) })
    assert.deepEqual([heard.at(-1), client.refusal], ['healthy', undefined])
  })

  it('is tried as soon as it is open again', async () => {
    const heard: string[] = []
    const client = new JournalClient(new ManualClock(), listener(heard))
    const groups: Group[] = []
    const link = { send: (group: Group) => void groups.push(group) }
    client.attach(link, OPENED)
    client.outage({ kind: 'io', error: { name: 'SqliteError', message: 'disk I/O error' } }, 'test00')
    client.attach(link, OPENED)
    await turn()
    client.received({ type: 'reply', reply: replyTo(groups[0] as Group) })
    assert.deepEqual(heard, ['degraded', 'healthy'])
  })

  it('goes on waiting for what another process keeps from being written, also when the owner stops', async () => {
    const heard: string[] = []
    const clock = new ManualClock()
    const client = new JournalClient(clock, listener(heard))
    const groups: Group[] = []
    client.attach({ send: (group) => void groups.push(group) }, OPENED)
    client.hurry()
    void client.barrier().then(() => heard.push('passed'))
    await turn()
    client.received({
      type: 'refused',
      number: 1,
      fault: { kind: 'other', error: { name: 'SqliteError', message: 'busy' } },
    })
    await turn()
    assert.deepEqual(heard, ['degraded'])
    clock.advance(1_000)
    client.received({ type: 'reply', reply: replyTo(groups[1] as Group) })
    await turn()
    assert.deepEqual(heard, ['degraded', 'healthy', 'passed'])
  })

  it('is tried again each second, however often it was healthy in between', async () => {
    const heard: string[] = []
    const clock = new ManualClock()
    const client = new JournalClient(clock, listener(heard))
    const groups: Group[] = []
    client.attach({ send: (group) => void groups.push(group) }, OPENED)
    const fault = { kind: 'disk-full', error: { name: 'SqliteError', message: 'full' } } as const
    const refuse = () => client.received({ type: 'refused', number: (groups.at(-1) as Group).number, fault })
    for (let round = 0; round < 3; round++) {
      client.append(job(round, heard))
      await turn()
      refuse()
      const before = groups.length
      clock.advance(1_000)
      assert.equal(groups.length, before + 1)
      client.received({ type: 'reply', reply: replyTo(groups.at(-1) as Group) })
      assert.equal(heard.at(-1), 'healthy')
    }
  })
})
