import { MillraceError } from '../../lib/errors.ts'
import { faultOf } from './files/faults.ts'
import { fileError } from './files/file-error.ts'
import { prepareFiles } from './files/files.ts'
import { DEFAULT_KEEP_ENDED_MS, Ledger } from './store/ledger.ts'
import { takeLock, thisProcess } from './files/lock.ts'
import { CHECKPOINT_PAGES, LOG_LIMIT_BYTES } from './files/log-bounds.ts'
import { MarkWriter, readMark, tailLoss } from './files/mark.ts'
import { NUMBERS_AHEAD } from './numbers.ts'
import { OwnLog, refuseRemovedLog } from './files/own-log.ts'
import type { Group, OpenedJournal, Reply } from './protocol.ts'
import { type MetaRow, migrate, readMeta } from './schema/migrate.ts'
import { NOTHING_RECOVERED, recover } from './store/recover.ts'
import { assertSqliteVersion, type Database, openDatabase, prepare } from './files/sqlite.ts'
import { type Begun, readStarts } from './files/starts.ts'
import { Store } from './store/store.ts'
import { forgetTaken } from './crossing/taken.ts'

export interface JournalOptions {
  /** Path of the journal, or ':memory:'. */
  readonly file: string
  /** 'full' survives a power cut; 'relaxed' may lose the last commits to one, never to the end of the process. */
  readonly durability: 'full' | 'relaxed'
  /** How long jobs are kept that the journal itself ends: expired, found dead, or cancelled at a crash. */
  readonly keepEndedMs: number
}

export interface OpenJournal {
  readonly store: Store
  readonly opened: OpenedJournal
  /** One transaction; see `Store`. */
  commit(groups: readonly Group[]): Reply[]
  close(): void
}

/** 16 MiB of pages: enough for the hot end of every index, whatever the backlog. */
const PAGE_CACHE_KIB = 16 * 1024

/** Opens the journal as its one owner: locked, migrated, under a new epoch, with what was running made available. */
export function openJournal(options: JournalOptions, now: number, resume?: number): OpenJournal {
  try {
    return open(options, now, resume)
  } catch (error) {
    throw fileError(error, options.file, 'journal.file')
  }
}

function open(options: JournalOptions, now: number, resume?: number): OpenJournal {
  const inMemory = options.file === ':memory:'
  const file = inMemory ? options.file : prepareFiles(options.file, resume === undefined ? 'new' : 'same')
  const lock = inMemory ? undefined : takeLock(file)
  try {
    if (!inMemory) refuseRemovedLog(file)
    const db = openDatabase(file, { timeout: 5_000 })
    try {
      configure(db, options)
      const { store, opened } =
        resume === undefined
          ? adopt(db, now, (epoch) => (inMemory ? undefined : readStarts(file, epoch)), options.keepEndedMs)
          : rejoin(db, resume, options.keepEndedMs)
      return inMemory ? opening(db, store, opened) : marked(file, opening(db, store, opened), lock)
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    lock?.close()
    throw error
  }
}

function opening(db: Database, store: Store, opened: OpenedJournal): OpenJournal {
  return { store, opened, commit: (groups) => store.commit(groups), close: () => db.close() }
}

/** A journal on disk, whose last commit is known outside of its log as well. */
function marked(file: string, journal: OpenJournal, lock: Database | undefined): OpenJournal {
  const { store, opened } = journal
  const lost = tailLoss(readMark(file), opened)
  const mark = new MarkWriter(file, opened.name)
  const log = new OwnLog(file)
  log.join(store.ledger.db)
  return {
    store,
    opened: lost === undefined ? opened : { ...opened, lost },
    commit(groups) {
      const replies = store.commit(groups)
      log.check()
      mark.write(store.ledger.commits)
      return replies
    },
    close() {
      mark.close()
      log.close()
      journal.close()
      lock?.close()
    },
  }
}

/** Makes an open database the journal of a new owner epoch; `begunIn` tells what had begun in the one before. */
export function adopt(
  db: Database,
  now: number,
  begunIn: (epoch: number) => Begun | undefined = () => undefined,
  keepEndedMs = DEFAULT_KEEP_ENDED_MS,
) {
  const before = migrate(db, now)
  const meta = { ...before, epoch: before.epoch + 1, next_number: before.next_number + NUMBERS_AHEAD }
  db.transaction(() => {
    prepare<[number, number, string]>(db, 'UPDATE millrace_meta SET epoch = ?, next_number = ?, holder = ?').run(
      meta.epoch,
      meta.next_number,
      JSON.stringify(thisProcess(now)),
    )
  }).immediate()
  const ledger = ledgerOf(db, meta, keepEndedMs)
  const adoptJobs = () => {
    forgetTaken(ledger)
    return recover(ledger, now, begunIn(before.epoch))
  }
  const recovered = db.transaction(adoptJobs).immediate()
  ledger.recount()
  const store = new Store(ledger)
  return { store, opened: store.describe(recovered, before.next_number) }
}

/** Goes on as the same owner after its journal thread has died: nothing was interrupted, so nothing is recovered. */
function rejoin(db: Database, epoch: number, keepEndedMs: number) {
  const meta = readMeta(db)
  if (meta === undefined || meta.epoch !== epoch) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_LOST',
      `another process took the journal over while its thread was down; got owner epoch ${meta?.epoch}, ` +
        `expected ${epoch}; stop one of the two`,
    )
  }
  const ledger = ledgerOf(db, { ...meta, next_number: writeAgain(db, meta) }, keepEndedMs)
  ledger.recount()
  const store = new Store(ledger)
  return { store, opened: store.describe(NOTHING_RECOVERED, meta.next_number) }
}

/** A disk that takes no write any more shows here, and not once callers are let in; one that is full has a reserve. */
function writeAgain(db: Database, { next_number: before }: MetaRow): number {
  const next = before + 1
  try {
    prepare<[number]>(db, 'UPDATE millrace_meta SET next_number = ? WHERE one = 1').run(next)
  } catch (error) {
    if (faultOf(error)?.kind !== 'disk-full') throw error
  }
  return next
}

function ledgerOf(db: Database, meta: MetaRow, keepEndedMs: number): Ledger {
  return new Ledger(db, {
    name: meta.journal,
    epoch: meta.epoch,
    commits: meta.commits,
    nextOrd: meta.next_ord,
    nextNumber: meta.next_number,
    keepEndedMs,
  })
}

function configure(db: Database, options: JournalOptions): void {
  assertSqliteVersion(db)
  for (const setting of [
    'journal_mode = WAL',
    `synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'}`,
    `cache_size = ${-PAGE_CACHE_KIB}`,
    `wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    `journal_size_limit = ${LOG_LIMIT_BYTES}`,
    'trusted_schema = OFF',
    'cell_size_check = ON',
    'temp_store = MEMORY',
  ]) {
    db.exec(`PRAGMA ${setting}`)
  }
}
