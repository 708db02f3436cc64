import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { toErrorRecord } from '../../../../lib/error-record.ts'
import { MillraceError } from '../../../../lib/errors.ts'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { JournalAccess } from '../../../../runtime/journal/owner/access.ts'
import { faultOf } from '../../../../runtime/journal/files/faults.ts'
import type { ConnectionListener, JournalConnection } from '../../../../runtime/journal/link.ts'
import { adopt } from '../../../../runtime/journal/open.ts'
import type { Group, JournalFault, OpenedJournal, Reply } from '../../../../runtime/journal/protocol.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { Turnstile, TURNSTILE_BYTES } from '../../../../runtime/journal/turnstile.ts'
import { DEAF } from '../../../helpers/loop-journal.ts'

/** A journal thread whose part the test plays. */
class PlayedThread implements JournalConnection {
  readonly turnstile = new Turnstile(new SharedArrayBuffer(TURNSTILE_BYTES))
  readonly groups: Group[] = []
  readonly exited: Promise<void>
  readonly #opened: OpenedJournal
  readonly #listener: ConnectionListener
  #exit: () => void = () => {}

  constructor(opened: OpenedJournal, listener: ConnectionListener) {
    this.#opened = opened
    this.#listener = listener
    this.exited = new Promise((resolve) => {
      this.#exit = resolve
    })
  }

  send(group: Group): void {
    this.groups.push(group)
  }

  close(): void {
    this.#exit()
  }

  query(): Promise<never> {
    return Promise.reject(new Error('this thread answers no queries'))
  }

  async opens(): Promise<void> {
    this.#listener.received({ type: 'opened', journal: this.#opened })
    await turn()
  }

  /** A thread that is open ends with it, too. */
  async fails(error: Error): Promise<void> {
    const fault = faultOf(error) ?? { kind: 'other', error: toErrorRecord(error) }
    this.#listener.received({ type: 'fault', fault })
    await turn()
  }

  async commits(): Promise<void> {
    for (const { number } of this.groups.splice(0)) this.#listener.received({ type: 'reply', reply: replyTo(number) })
    await turn()
  }

  /** For a full disk. */
  async refuses(): Promise<void> {
    const fault = faultOf(ofSqlite('SQLITE_FULL')) as JournalFault
    for (const { number } of this.groups.splice(0)) this.#listener.received({ type: 'refused', number, fault })
    await turn()
  }

  async exits(): Promise<void> {
    this.#listener.exited(new Error('the thread exited'))
    this.#exit()
    await turn()
  }
}

function replyTo(number: number): Reply {
  const nothing = { appended: new Uint8Array(0), firstOrd: 0, duplicates: [], failures: [], claims: [], expired: [] }
  const none = { stale: [], failedSettles: [], answers: [], wished: [], newTasks: [], roomOf: [] }
  return { ...nothing, ...none, number, nextDueAt: undefined, numbersUntil: 9, waiting: 0, claimable: 0, suspects: 0 }
}

function ofSqlite(code: string): Error {
  return Object.assign(new Error('disk I/O error'), { code })
}

/** An open journal, the threads that it has had so far, and what its owner hears. */
async function withPlayedThreads() {
  const { opened } = adopt(openDatabase(':memory:'), 0)
  const threads: PlayedThread[] = []
  const heard: string[] = []
  const clock = new ManualClock()
  const journal: JournalAccess = new JournalAccess(
    { file: 'jobs.db', durability: 'full', keepEndedMs: 1 },
    (_, __, listener) => {
      const thread = new PlayedThread(opened, listener)
      threads.push(thread)
      return thread
    },
    clock,
    {
      ...DEAF,
      down: () => void heard.push('down'),
      health: (state) => void heard.push(state),
      reopened: () => void heard.push('reopened'),
      gaveUp(error) {
        heard.push(`gave up: ${(error as { code?: string }).code}`)
        journal.abandon(error)
      },
    },
  )
  const opening = journal.open()
  const thread = (at: number) => threads[at] as PlayedThread
  await thread(0).opens()
  await opening
  return { journal, threads, thread, heard, clock }
}

function takenOver(): MillraceError {
  return new MillraceError('MILLRACE_JOURNAL_LOST', 'another process has the journal; expected none; stop one')
}

function damaged(): MillraceError {
  return new MillraceError('MILLRACE_JOURNAL_CORRUPT', 'jobs.db is damaged; nothing was changed; run millrace doctor')
}

describe('a journal on a full disk', () => {
  it('is closed by who stops, also when it takes nothing any more', async () => {
    const { journal, thread } = await withPlayedThreads()
    journal.nudge()
    await turn()
    await thread(0).refuses()
    const marked = assert.rejects(journal.request({ type: 'interrupted', numbers: [7] }), {
      code: 'MILLRACE_DISK_FULL',
    })
    const closed = journal.close()
    await turn()
    await thread(0).refuses()
    await Promise.all([marked, closed])
  })

  it('is closed also where another process keeps it from being written for all the time that a stop has', async () => {
    const { journal, clock } = await withPlayedThreads()
    journal.nudge()
    const closed = journal.close()
    await turn()
    clock.advance(29_000)
    await closed
  })
})

describe('a journal whose thread has died', () => {
  it('is opened by the next one when one cannot, and by no more than that', async () => {
    const { journal, threads, thread, heard } = await withPlayedThreads()
    await thread(0).exits()
    await thread(1).fails(new Error('too many open files'))
    assert.equal(threads.length, 2, 'until it has ended it may have the lock')
    await thread(1).exits()
    await thread(2).opens()
    assert.deepEqual(heard, ['down', 'reopened'])
    journal.nudge()
    await turn()
    assert.deepEqual(
      threads.map(({ groups }) => groups.length),
      [0, 0, 1],
    )
  })

  it('is left to who has taken it over, also when the thread that found that out ends', async () => {
    const { threads, thread, heard } = await withPlayedThreads()
    await thread(0).exits()
    await thread(1).fails(takenOver())
    await thread(1).exits()
    assert.equal(threads.length, 2)
    assert.deepEqual(heard, ['down', 'gave up: MILLRACE_JOURNAL_LOST'])
  })

  it('is opened again at once after a fault of the disk, and then each second for as long as it takes', async () => {
    const { journal, threads, thread, heard, clock } = await withPlayedThreads()
    await thread(0).fails(ofSqlite('SQLITE_IOERR_FSYNC'))
    await thread(0).exits()
    assert.equal(threads.length, 2)
    await thread(1).opens()
    await thread(1).fails(ofSqlite('SQLITE_IOERR_FSYNC'))
    await thread(1).exits()
    for (let at = 2; at < 12; at++) {
      clock.advance(999)
      await turn()
      assert.equal(threads.length, at)
      clock.advance(1)
      await turn()
      await thread(at).fails(ofSqlite('SQLITE_READONLY'))
      await thread(at).exits()
    }
    assert.match(String(journal.refusal), /MILLRACE_JOURNAL_IO|refused a commit/)
    clock.advance(1_000)
    await turn()
    await thread(12).opens()
    clock.advance(1_000)
    await thread(12).commits()
    assert.equal(journal.refusal, undefined)
    assert.deepEqual(heard, ['down', 'reopened', 'down', 'degraded', 'reopened', 'healthy'])
  })

  it('has nothing to wait for while its disk fails once its owner stops', async () => {
    const { journal, thread, heard, clock } = await withPlayedThreads()
    for (const at of [0, 1]) {
      await thread(at).fails(ofSqlite('SQLITE_IOERR'))
      await thread(at).exits()
    }
    journal.nudge()
    const closed = journal.close()
    clock.advance(1_000)
    await closed
    assert.deepEqual(heard, ['down', 'degraded', 'gave up: MILLRACE_JOURNAL_IO'])
  })

  it('keeps nobody waiting whose request was under way when it began to fail', async () => {
    const { journal, thread, clock } = await withPlayedThreads()
    const heard: string[] = []
    const append = (number: number) =>
      journal.append({
        number,
        task: 0,
        input: '1',
        extra: null,
        accepted: () => void heard.push(`accepted ${number}`),
        refused: (error) => void heard.push(`${number} ${(error as MillraceError).code}`),
      })
    append(1)
    const cancelled = assert.rejects(journal.request({ type: 'cancel', number: 1 }), {
      code: 'MILLRACE_OUTCOME_UNKNOWN',
    })
    const learned = assert.rejects(journal.learn(['other'], 'none'), { code: 'MILLRACE_JOURNAL_IO' })
    const marked = journal.request({ type: 'interrupted', numbers: [7] })
    await turn()
    for (const at of [0, 1]) {
      await thread(at).fails(ofSqlite('SQLITE_IOERR'))
      await thread(at).exits()
    }
    await Promise.all([cancelled, learned])
    await assert.rejects(journal.learn(['other'], 'none'), { code: 'MILLRACE_JOURNAL_IO' })
    assert.deepEqual(heard, ['1 MILLRACE_OUTCOME_UNKNOWN'])
    clock.advance(1_000)
    await turn()
    await thread(2).opens()
    await turn()
    const [again] = thread(2).groups
    assert.deepEqual([again?.jobs, again?.requests.map(({ type }) => type)], [undefined, ['interrupted']])
    await thread(2).commits()
    await marked
    assert.deepEqual(heard, ['1 MILLRACE_OUTCOME_UNKNOWN'], 'they are told once')
  })

  it('is given up at the end of the grace while its disk fails, and not when all else has stopped', async () => {
    const { journal, thread, heard, clock } = await withPlayedThreads()
    for (const at of [0, 1]) {
      await thread(at).fails(ofSqlite('SQLITE_IOERR'))
      await thread(at).exits()
    }
    const marked = assert.rejects(journal.request({ type: 'interrupted', numbers: [7] }))
    const written = journal.barrier()
    journal.hurry()
    clock.advance(1_000)
    await Promise.all([marked, written])
    assert.equal(heard.at(-1), 'gave up: MILLRACE_JOURNAL_IO')
  })

  it('is waited for at a stop until it is written, and 20 s at most where its thread does not answer', async () => {
    const { journal, thread, clock } = await withPlayedThreads()
    const heard: string[] = []
    const waits = (name: string) => journal.written().then(() => heard.push(name))
    const first = waits('written')
    await turn()
    assert.deepEqual(heard, [])
    await thread(0).commits()
    await first
    const second = waits('late')
    await turn()
    clock.advance(19_999)
    await turn()
    assert.deepEqual(heard, ['written'])
    clock.advance(1)
    await second
  })

  it('says in its end which file it is, by the option of its owner, and nothing without a code', async () => {
    const ends = [ofSqlite('SQLITE_CORRUPT'), new TypeError('of ours')].map(async (error) => {
      const { journal, thread } = await withPlayedThreads()
      for (let at = 0; journal.end === undefined; at++) {
        await thread(at).fails(error)
        await thread(at).exits()
        await thread(at + 1)?.opens()
      }
      const { code, path } = journal.end as MillraceError
      return [code, path]
    })
    assert.deepEqual(await Promise.all(ends), [
      ['MILLRACE_JOURNAL_CORRUPT', 'journal.file'],
      ['MILLRACE_JOURNAL_IO', undefined],
    ])
  })

  it('is read once more where it is damaged, and left alone when it still is', async () => {
    const { threads, thread, heard } = await withPlayedThreads()
    await thread(0).fails(ofSqlite('SQLITE_CORRUPT'))
    await thread(0).exits()
    await thread(1).fails(damaged())
    await thread(1).exits()
    assert.equal(threads.length, 2)
    assert.deepEqual(heard, ['down', 'gave up: MILLRACE_JOURNAL_CORRUPT'])
  })

  it('is not opened again for an owner who has ended', async () => {
    const { journal, threads, thread, heard } = await withPlayedThreads()
    journal.abandon(new Error('for good'))
    await thread(0).exits()
    assert.deepEqual([threads.length, heard], [1, []])
  })
})
