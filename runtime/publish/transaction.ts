import type { Clock } from '../../lib/clock.ts'
import { prepareJob } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import { invalidOption } from '../../lib/options.ts'
import type { AnyTask, EnqueueArguments, EnqueueOptions, OutputOf } from '../../lib/task.ts'
import { faultOf, isBusy } from '../journal/files/faults.ts'
import type { Callers } from '../journal/owner/callers.ts'
import type { InboxWriter } from '../journal/inbox/inbox-writer.ts'
import { refusalOf } from '../journal/refusal.ts'
import type { Database } from '../journal/files/sqlite.ts'
import type { Turnstile } from '../journal/turnstile.ts'
import { Job, type JobDesk } from './job-handle.ts'
import { TransactionDesk } from './transaction-desk.ts'

/** What `runtime.transaction` gives to its function. */
export interface Transaction {
  /** The job exists when the transaction commits, and never otherwise: its handle refuses then, and another may get its id. */
  enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Job<OutputOf<T>>
}

export interface TransactionJournal {
  readonly callers: Callers
  readonly turnstile: Turnstile
  nudge(): void
}

/** What a transaction needs for the jobs in it. */
export interface TransactionJobs {
  /** Why none is taken now. */
  readonly refusal: Error | undefined
  /** Told of each task before a job of it is written; may throw. */
  meet(task: AnyTask): void
  readonly desk: JobDesk
}

/** Whose journals are in a transaction of this thread: a second one would wait for the first, which waits for it. */
const passing = new WeakSet<Turnstile>()

/**
 * Runs the caller's writes and its jobs as one commit of the journal's file, between two commits of the owner. The
 * function must be synchronous: while it runs nobody else can write.
 */
export function transact<R>(
  db: Database,
  journal: TransactionJournal,
  clock: Clock,
  jobs: TransactionJobs,
  run: (transaction: Transaction) => R,
): R {
  if (typeof run !== 'function') throw invalidOption('run', run, 'a function')
  // Also for the caller's writes: on a full disk they would use up what running jobs are settled with.
  if (jobs.refusal !== undefined) throw jobs.refusal
  const { callers, turnstile } = journal
  if ((db as Database | undefined)?.inTransaction === true || passing.has(turnstile)) throw nested()
  passing.add(turnstile)
  try {
    const inbox = callers.inboxOf(db)
    const value = turnstile.pass(() => commit(db, inbox, clock, jobs, run))
    callers.checkCommitted()
    return value
  } catch (error) {
    throw refusedBy(error)
  } finally {
    passing.delete(turnstile)
    // Also where it has failed, perhaps for a log that the owner does not know yet to be gone.
    journal.nudge()
  }
}

function commit<R>(
  db: Database,
  inbox: InboxWriter,
  clock: Clock,
  jobs: TransactionJobs,
  run: (transaction: Transaction) => R,
): R {
  begin(db)
  const scope: Scope = { isOpen: () => db.inTransaction }
  const desk = new TransactionDesk(jobs.desk)
  try {
    inbox.checkVersion()
    const value = run(transactionOf(scope, inbox, clock, { ...jobs, desk }))
    refuseLater(value)
    // Else the jobs would not be in the same commit as the caller's writes.
    if (!scope.isOpen()) throw over()
    end(db)
    desk.committed()
    return value
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK')
    throw error
  } finally {
    scope.isOpen = () => false
  }
}

/**
 * A transaction that begins with a savepoint ends with its release, and any COMMIT or ROLLBACK of the caller's takes the
 * savepoint away, also where a BEGIN follows: without it that would pass unseen. Other than a savepoint in a transaction it
 * copies no page that is written. The statement takes the right to write, as BEGIN IMMEDIATE does.
 */
const BEGIN = 'SAVEPOINT millrace_transaction; DELETE FROM main.millrace_inbox WHERE 0'
const END = 'RELEASE millrace_transaction'

function begin(db: Database): void {
  try {
    db.exec(BEGIN)
  } catch (cause) {
    if (db.inTransaction) db.exec('ROLLBACK')
    if (!isBusy(cause)) throw cause
    throw new MillraceError(
      'MILLRACE_JOURNAL_IO',
      'another connection is writing to the journal; got no turn within the timeout of this one, expected transactions of ' +
        'milliseconds; nothing was written; end the other one, or ask again',
      { cause },
    )
  }
}

function end(db: Database): void {
  try {
    db.exec(END)
  } catch (error) {
    throw (error as Error).message.includes('no such savepoint') ? over() : error
  }
}

/** What the journal itself is to blame for comes as from `enqueue`; all else is the caller's own. */
function refusedBy(error: unknown): unknown {
  if (error instanceof MillraceError) return error
  const fault = faultOf(error)
  return fault === undefined ? error : refusalOf(fault)
}

/** A transaction may be kept by its caller for longer than it lasts. */
interface Scope {
  isOpen(): boolean
}

function transactionOf(scope: Scope, inbox: InboxWriter, clock: Clock, jobs: TransactionJobs): Transaction {
  return {
    enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Job<OutputOf<T>> {
      const [input, options] = rest as [unknown, EnqueueOptions?]
      if (!scope.isOpen()) throw over()
      const now = clock.now()
      const job = prepareJob(task, input, options, { now: () => now })
      refuseLater(job)
      jobs.meet(task)
      return new Job(jobs.desk, inbox.put({ ...job, createdAt: now }), 'new')
    },
  }
}

function nested(): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'the connection, or another one to this journal, is in a transaction already; expected none, since this one begins ' +
      'its own; commit it first',
    { path: 'db' },
  )
}

function over(): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'the transaction is over, since its function has returned or has ended it by itself; expected jobs to be enqueued ' +
      'in it, and its COMMIT or ROLLBACK to be left to runtime.transaction: throw to undo it; what the function has ' +
      'committed stays, perhaps with jobs of it; what it began then is undone',
    { path: 'run' },
  )
}

function refuseLater<T>(value: T | Promise<T>): asserts value is T {
  if (typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then !== 'function') return
  Promise.resolve(value).catch(() => {})
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'the function of runtime.transaction, or a schema in it, answers later; expected it to be synchronous; nothing was ' +
      'written; prepare what needs time before the transaction',
    { path: 'run' },
  )
}
