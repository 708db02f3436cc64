import type { MessagePort } from 'node:worker_threads'
import { expose } from 'comlink'
import { nodeEndpoint } from '../comlink-node.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import { lastInInbox } from '../inbox/inbox-ends.ts'
import type { Ledger } from '../store/ledger.ts'
import { type PageQuery, pageOf, type StoredPage } from './page.ts'
import { prepare, prepareValue } from '../files/sqlite.ts'
import { findJob, type FoundJob, recordOf, type StoredJob } from '../store/record.ts'
import { INBOX_NUMBERS_FROM, IS_SUSPECT } from '../schema/schema.ts'
import { standings, type StoredStanding, waitingByTask } from './standing.ts'

/** How many jobs of a task are in a state. */
export interface TaskCount {
  readonly task: string
  readonly state: number
  readonly jobs: number
}

/**
 * The rare, typed calls to the journal thread: reading and administration, never the path of a job. They travel over a
 * port of their own through comlink; the caller races each against the thread's exit, which comlink does not.
 */
export interface JournalQueries {
  record(number: number): StoredJob | undefined
  find(number: number): FoundJob
  /** Whether a job from outside is still in the inbox; if not, `record` has what there is of it. */
  isInInbox(number: number): boolean
  /** The number of the last job in there. */
  lastInInbox(): number | undefined
  page(query: PageQuery): StoredPage
  counts(): TaskCount[]
  /** How many jobs wait for a claim, by task index. */
  waitingByTask(): number[]
  standing(number: number): StoredStanding
  /** Copies the journal, foreign tables included, while it is in use. */
  backup(to: string): Promise<void>
}

export function journalQueries(ledger: Ledger): JournalQueries {
  const { db } = ledger
  const inbox = prepareValue<[number], number>(db, 'SELECT id FROM millrace_inbox WHERE id = ?')
  return {
    record: written(ledger, (number) => recordOf(db, number)),
    find: written(ledger, (number) => findJob(db, number)),
    isInInbox: (number) => inbox.get(number - INBOX_NUMBERS_FROM) !== undefined,
    lastInInbox: () => lastInInbox(db),
    page: written(ledger, (query) => pageOf(db, query)),
    counts: written(ledger, () => countsOf(ledger)),
    waitingByTask: () => waitingByTask(ledger),
    standing: written(ledger, standings(ledger)),
    backup: written(ledger, async (to) => {
      await db.backup(to)
    }),
  }
}

export function exposeQueries(port: MessagePort, ledger: Ledger): void {
  expose(journalQueries(ledger), nodeEndpoint(port))
}

/** Whoever looks sees the rows that were put off as well. */
function written<A extends unknown[], R>(ledger: Ledger, query: (...args: A) => R): (...args: A) => R {
  const { db, late } = ledger
  return (...args) => {
    if (late.size > 0) {
      try {
        db.transaction(() => {
          ledger.writeAllLate()
          ledger.stamp(ledger.commits)
        }).immediate()
      } catch (error) {
        late.undoTo(0)
        throw error
      }
      late.committed()
    }
    return query(...args)
  }
}

/** Waiting jobs are counted as they are written; the rest is read from indices that hold only their own state. */
function countsOf(ledger: Ledger): TaskCount[] {
  const { db, tasks, suspects } = ledger
  const onTrialLater = prepareValue<[number], number>(
    db,
    `SELECT count(*) FROM millrace_jobs WHERE state = ${stateCodes.available} AND task = ? AND ${IS_SUSPECT}`,
  )
  const available = tasks.names.flatMap((task, index) => {
    const jobs = ledger.waitingOf(index) + (suspects === 0 ? 0 : (onTrialLater.get(tasks.idOf(index)) ?? 0))
    return jobs === 0 ? [] : [{ task, state: stateCodes.available, jobs }]
  })
  const others = prepare<[], TaskCount>(
    db,
    `
      SELECT t.name AS task, j.state AS state, j.jobs AS jobs FROM (
        SELECT task, state, count(*) AS jobs FROM millrace_jobs WHERE state = ${stateCodes.running} GROUP BY task
        UNION ALL
        SELECT task, state, count(*) FROM millrace_jobs WHERE state = ${stateCodes.scheduled} GROUP BY task
        UNION ALL
        SELECT task, state, count(*) FROM millrace_jobs WHERE state = ${stateCodes.away} GROUP BY task
        UNION ALL
        SELECT task, state, count(*) FROM millrace_jobs WHERE ended_at IS NOT NULL GROUP BY task, state
      ) j JOIN millrace_tasks t ON t.id = j.task`,
  ).all()
  return [...available, ...others]
}
