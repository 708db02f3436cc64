import type { Clock } from '../../lib/clock.ts'
import { prepareJob } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { EnqueueArguments, EnqueueOptions, OutputOf } from '../../lib/task.ts'
import { inboxOf, type InboxWriter } from '../journal/inbox-writer.ts'
import type { Database } from '../journal/sqlite.ts'
import type { Turnstile } from '../journal/turnstile.ts'
import type { Job } from './job-handle.ts'
import type { AnyTask } from './publisher.ts'

/** What `runtime.transaction` gives to its function. */
export interface Transaction {
  /** The job exists when the transaction commits, and never otherwise. */
  enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Job<OutputOf<T>>
}

export interface TransactionJournal {
  readonly turnstile: Turnstile
  nudge(): void
}

/**
 * Runs the caller's writes and its jobs as one commit of the journal's file, between two commits of the owner. The
 * function must be synchronous: while it runs nobody else can write.
 */
export function transact<R>(
  db: Database,
  file: string,
  journal: TransactionJournal,
  clock: Clock,
  handle: (number: number) => Job,
  run: (transaction: Transaction) => R,
): R {
  if (db.inTransaction === true) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      'the connection is in a transaction already; expected none, since this one begins its own; commit it first',
      { path: 'db' },
    )
  }
  const inbox = inboxOf(db, file)
  const result = journal.turnstile.pass(() => {
    db.exec('BEGIN IMMEDIATE')
    try {
      inbox.checkVersion()
      const value = run(transactionOf(inbox, clock, handle))
      refusePromise(value)
      db.exec('COMMIT')
      return value
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      throw error
    }
  })
  journal.nudge()
  return result
}

function transactionOf(inbox: InboxWriter, clock: Clock, handle: (number: number) => Job): Transaction {
  return {
    enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Job<OutputOf<T>> {
      const [input, options] = rest as [unknown, EnqueueOptions?]
      const job = prepareJob(task, input, options, clock.now())
      refusePromise(job)
      return handle(inbox.put({ ...job, createdAt: clock.now() })) as Job<OutputOf<T>>
    },
  }
}

function refusePromise<T>(value: T | Promise<T>): asserts value is T {
  if (!(value instanceof Promise)) return
  value.catch(() => {})
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'the function of runtime.transaction, or a schema in it, answers later; expected it to be synchronous; nothing was ' +
      'written; prepare what needs time before the transaction',
    { path: 'run' },
  )
}
