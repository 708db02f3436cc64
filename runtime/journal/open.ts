import { randomInt } from 'node:crypto'
import { MillraceError } from '../../lib/errors.ts'
import { prepareFiles } from './files.ts'
import { DEFAULT_KEEP_ENDED_MS, Ledger, NUMBERS_AHEAD } from './ledger.ts'
import { takeLock, thisProcess } from './lock.ts'
import { MarkWriter, readMark, tailLoss } from './mark.ts'
import type { Group, OpenedJournal, Reply } from './protocol.ts'
import { recover } from './recover.ts'
import { JOURNAL_VERSION, SCHEMA } from './schema.ts'
import { assertSqliteVersion, type Database, openDatabase } from './sqlite.ts'
import { type Begun, readStarts } from './starts.ts'
import { Store } from './store.ts'

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

interface MetaRow {
  readonly version: number
  readonly journal: string
  readonly epoch: number
  readonly commits: number
  readonly next_ord: number
  readonly next_number: number
}

/** 16 MiB of pages: enough for the hot end of every index, whatever the backlog. */
const PAGE_CACHE_KIB = 16 * 1024
/** Pages of log after which a commit moves them into the file: about 16 MiB. */
export const CHECKPOINT_PAGES = 4_000
const WAL_LIMIT_BYTES = 64 * 1024 * 1024

/** Opens the journal as its one owner: locked, migrated, under a new epoch, with what was running made available. */
export function openJournal(options: JournalOptions, now: number, resume?: number): OpenJournal {
  const inMemory = options.file === ':memory:'
  const file = inMemory ? options.file : prepareFiles(options.file)
  const lock = inMemory ? undefined : takeLock(file)
  try {
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
      throw named(error, file)
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
  return {
    store,
    opened: lost === undefined ? opened : { ...opened, lost },
    commit(groups) {
      const replies = store.commit(groups)
      mark.write(store.ledger.commits)
      return replies
    },
    close() {
      mark.close()
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
    db.prepare('UPDATE millrace_meta SET epoch = ?, next_number = ?, holder = ?').run(
      meta.epoch,
      meta.next_number,
      JSON.stringify(thisProcess(now)),
    )
  }).immediate()
  const ledger = ledgerOf(db, meta, keepEndedMs)
  const recovered = db.transaction(() => recover(ledger, now, begunIn(before.epoch))).immediate()
  ledger.recount()
  const store = new Store(ledger)
  return { store, opened: store.describe(recovered, before.next_number) }
}

/** Goes on as the same owner after its journal thread has died: nothing was interrupted, so nothing is recovered. */
function rejoin(db: Database, epoch: number, keepEndedMs: number) {
  const meta = db.prepare<[], MetaRow>('SELECT * FROM millrace_meta WHERE one = 1').get()
  if (meta === undefined || meta.epoch !== epoch) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_LOST',
      `another process took the journal over while its thread was down; got owner epoch ${meta?.epoch}, ` +
        `expected ${epoch}; stop one of the two`,
    )
  }
  const ledger = ledgerOf(db, meta, keepEndedMs)
  ledger.recount()
  const store = new Store(ledger)
  return { store, opened: store.describe(0, meta.next_number) }
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
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'}`)
  db.pragma(`cache_size = ${-PAGE_CACHE_KIB}`)
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  db.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`)
  db.pragma('trusted_schema = OFF')
  db.pragma('cell_size_check = ON')
  db.pragma('temp_store = MEMORY')
}

/** Creates the tables or brings them forward; never back: a journal of a later version is refused untouched. */
function migrate(db: Database, now: number): MetaRow {
  const exists = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'millrace_meta'").get()
  if (exists === undefined) {
    db.transaction(() => {
      db.exec(SCHEMA)
      db.prepare('INSERT INTO millrace_meta VALUES (1, ?, ?, 0, 0, 1, 1, ?)').run(
        JOURNAL_VERSION,
        journalName(),
        JSON.stringify(thisProcess(now)),
      )
    }).immediate()
  }
  const meta = db.prepare<[], MetaRow>('SELECT * FROM millrace_meta WHERE one = 1').get()
  if (meta === undefined || meta.version > JOURNAL_VERSION) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_VERSION',
      `the journal is from a later Millrace; got version ${meta?.version}, expected at most ${JOURNAL_VERSION}; ` +
        'update Millrace in this service',
    )
  }
  return meta
}

/** Six letters and digits that tell this journal's job ids from another's. */
function journalName(): string {
  return randomInt(36 ** 5, 36 ** 6).toString(36)
}

function named(error: unknown, file: string): unknown {
  const code = String((error as { code?: unknown }).code)
  if (!code.startsWith('SQLITE_CORRUPT') && code !== 'SQLITE_NOTADB') return error
  return new MillraceError(
    'MILLRACE_JOURNAL_CORRUPT',
    `${file} is damaged or no SQLite database; nothing was changed; keep it with its -wal, and run millrace doctor`,
    { cause: error },
  )
}
