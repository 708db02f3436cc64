import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { JournalAccess } from '../../../runtime/journal/access.ts'
import type { ConnectionListener, JournalConnection } from '../../../runtime/journal/link.ts'
import { adopt } from '../../../runtime/journal/open.ts'
import type { Group, OpenedJournal } from '../../../runtime/journal/protocol.ts'
import { openDatabase } from '../../../runtime/journal/sqlite.ts'
import { Turnstile, TURNSTILE_BYTES } from '../../../runtime/journal/turnstile.ts'
import { DEAF } from '../../helpers/loop-journal.ts'

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

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

  close(): void {}

  query(): Promise<never> {
    return Promise.reject(new Error('this thread answers no queries'))
  }

  async opens(): Promise<void> {
    this.#listener.received({ type: 'opened', journal: this.#opened })
    await turn()
  }

  async fails(error: Error): Promise<void> {
    this.#listener.received({ type: 'fault', fault: { kind: 'other', error: toErrorRecord(error) } })
    await turn()
  }

  async exits(): Promise<void> {
    this.#listener.exited(new Error('the thread exited'))
    this.#exit()
    await turn()
  }
}

/** An open journal, the threads that it has had so far, and what its owner hears. */
async function withPlayedThreads() {
  const { opened } = adopt(openDatabase(':memory:'), 0)
  const threads: PlayedThread[] = []
  const heard: string[] = []
  const journal: JournalAccess = new JournalAccess(
    { file: 'jobs.db', durability: 'full', keepEndedMs: 1 },
    (_, __, listener) => {
      const thread = new PlayedThread(opened, listener)
      threads.push(thread)
      return thread
    },
    new ManualClock(),
    {
      ...DEAF,
      down: () => void heard.push('down'),
      reopened: () => void heard.push('reopened'),
      gaveUp(error) {
        heard.push('gave up')
        journal.abandon(error)
      },
    },
  )
  const opening = journal.open()
  const thread = (at: number) => threads[at] as PlayedThread
  await thread(0).opens()
  await opening
  return { journal, threads, thread, heard }
}

function takenOver(): MillraceError {
  return new MillraceError('MILLRACE_JOURNAL_LOST', 'another process has the journal; expected none; stop one')
}

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
    assert.deepEqual(heard, ['down', 'gave up'])
  })

  it('is not opened again for an owner who has ended', async () => {
    const { journal, threads, thread, heard } = await withPlayedThreads()
    journal.abandon(new Error('for good'))
    await thread(0).exits()
    assert.deepEqual([threads.length, heard], [1, []])
  })
})
