import { pause, systemClock } from '../../../lib/clock.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { fileError } from '../files/file-error.ts'
import { InboxWriter } from '../inbox/inbox-writer.ts'
import { DEFAULT_KEEP_ENDED_MS } from '../store/ledger.ts'
import { readMark, type TailLoss, tailLossIn } from '../files/mark.ts'
import { openJournal } from '../open.ts'
import type { Group } from '../protocol.ts'
import { openToRead, ownerOf } from './read-only.ts'
import { openDatabase } from '../files/sqlite.ts'
import { encodeWish, type Wish } from '../inbox/wish.ts'

const LOOK_MS = 20
const PATIENCE_MS = 10_000

/**
 * Has wishes carried out, whoever owns the journal: they are durable once they are in its inbox, and its owner takes them
 * from there. Where nobody owns it, this process does for a moment. Resolves when they are carried out.
 */
export async function carryOut(file: string, wishes: readonly Wish[]): Promise<void> {
  refuseLostTail(file)
  await whenTaken(file, putIntoInbox(file, wishes))
}

/** Has what is in the inbox become jobs with a row and a state, in the same way. */
export async function takeOver(file: string): Promise<void> {
  refuseLostTail(file)
  await whenTaken(file, lastInInbox(file))
}

async function whenTaken(file: string, last: number): Promise<void> {
  const givesUpAt = systemClock.monotonicMs() + PATIENCE_MS
  while (isInInbox(file, last)) {
    if (ownerOf(file) === undefined) takeInbox(file)
    else if (systemClock.monotonicMs() > givesUpAt) throw notTaken(file)
    else await pause(systemClock, LOOK_MS)
  }
}

/**
 * Of a loss the next owner tells, once. A wish would be written over what is left of the log, and the commit that carries
 * it out over the mark: from then on nobody would be told.
 */
function refuseLostTail(file: string): void {
  // Before the journal, as the doctor does.
  const mark = readMark(file)
  const db = openToRead(file)
  try {
    // Whoever owns it has told already.
    if (ownerOf(file) !== undefined) return
    const lost = tailLossIn(db, mark)
    if (lost !== undefined) throw leftAlone(file, lost)
  } catch (error) {
    throw fileError(error, file)
  } finally {
    db.close()
  }
}

function putIntoInbox(file: string, wishes: readonly Wish[]): number {
  const db = openDatabase(file, { fileMustExist: true, timeout: PATIENCE_MS })
  try {
    db.pragma('synchronous = FULL')
    // A few rows are no reason to move the log: whoever writes more does that.
    db.pragma('wal_autocheckpoint = 0')
    const inbox = new InboxWriter(db)
    return db
      .transaction(() => {
        inbox.checkVersion()
        let last = 0
        for (const wish of wishes) {
          last = inbox.put({ ...encodeWish(wish), extra: null, createdAt: systemClock.now() })
        }
        return last
      })
      .immediate()
  } catch (error) {
    throw fileError(error, file)
  } finally {
    db.close()
  }
}

function isInInbox(file: string, number: number): boolean {
  const first = fromInbox(file, 'SELECT min(id) FROM millrace_inbox')
  return first !== undefined && first <= number
}

function lastInInbox(file: string): number {
  return fromInbox(file, 'SELECT max(id) FROM millrace_inbox') ?? 0
}

function fromInbox(file: string, sql: string): number | undefined {
  const db = openToRead(file)
  try {
    const id = db.prepare<[], number | null>(sql).pluck().get()
    return typeof id === 'number' ? InboxWriter.numberOf(id) : undefined
  } finally {
    db.close()
  }
}

/** Opens the journal as its owner, moves the inbox, and lets it go; nothing is started. */
function takeInbox(file: string): void {
  const now = systemClock.now()
  const options = { file, durability: 'full', keepEndedMs: DEFAULT_KEEP_ENDED_MS } as const
  try {
    const journal = openJournal(options, now)
    try {
      // Its owner has died since we looked.
      if (journal.opened.lost !== undefined) throw leftAlone(file, journal.opened.lost)
      for (let number = journal.opened.commits + 1; journal.store.ledger.inboxMayHaveRows() === 'yes'; number++) {
        journal.commit([emptyGroup(number, now)])
      }
    } finally {
      journal.close()
    }
  } catch (error) {
    // Somebody was faster: then it is theirs to take.
    if (!(error instanceof MillraceError && error.code === 'MILLRACE_JOURNAL_LOCKED')) throw error
  }
}

function emptyGroup(number: number, now: number): Group {
  const nothing = { names: [], routes: undefined, room: [], jobs: undefined, done: undefined, settles: [] }
  return { ...nothing, number, now, nextNumber: 0, requests: [] }
}

function leftAlone(file: string, { expected, got }: TailLoss): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_TAIL_LOST',
    `${file} has lost its latest commits, and no job was changed; got commit ${got}, expected ${expected}; keep a copy of ` +
      `it and of ${file}-wal, start its service, which tells of the loss as well and goes on with what is left, then ` +
      `say this again; without a service move ${file}.mark away`,
    { details: { expected, got } },
  )
}

function notTaken(file: string): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the owner of ${file} has not taken what is in its inbox within ${PATIENCE_MS} ms; got a wish or a job that waits, ` +
      'expected none; it takes them when it goes on; look whether it hangs',
  )
}
