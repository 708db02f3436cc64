import type { MessagePort } from 'node:worker_threads'
import { expose } from 'comlink'
import { nodeEndpoint } from './comlink-node.ts'
import { stateCodes } from '../../lib/job-state.ts'
import type { Ledger } from './ledger.ts'
import { type PageQuery, pageOf, type StoredPage } from './page.ts'
import { prepareValue } from './sqlite.ts'
import { recordOf, type StoredJob } from './record.ts'
import { INBOX_NUMBERS_FROM } from './schema.ts'

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
  /** Whether a job from outside is still in the inbox; if not, `record` has what there is of it. */
  isInInbox(number: number): boolean
  page(query: PageQuery): StoredPage
  counts(): TaskCount[]
  /** Copies the journal, foreign tables included, while it is in use. */
  backup(to: string): Promise<void>
  /** Moves the log into the file and cuts it. */
  truncateLog(): void
}

export function journalQueries(ledger: Ledger): JournalQueries {
  const { db } = ledger
  const inbox = prepareValue<[number], number>(db, 'SELECT id FROM millrace_inbox WHERE id = ?')
  return {
    record: (number) => recordOf(db, number),
    isInInbox: (number) => inbox.get(number - INBOX_NUMBERS_FROM) !== undefined,
    page: (query) => pageOf(db, query),
    counts: () => countsOf(ledger),
    async backup(to) {
      await db.backup(to)
    },
    truncateLog() {
      db.pragma('wal_checkpoint(TRUNCATE)')
    },
  }
}

export function exposeQueries(port: MessagePort, ledger: Ledger): void {
  expose(journalQueries(ledger), nodeEndpoint(port))
}

/** Waiting jobs are counted as they are written; the rest is read from indices that hold only their own state. */
function countsOf({ db, tasks, waiting }: Ledger): TaskCount[] {
  const available = tasks.names.flatMap((task, index) => {
    const jobs = waiting.ofTask(index)
    return jobs === 0 ? [] : [{ task, state: stateCodes.available, jobs }]
  })
  const others = db
    .prepare<[], TaskCount>(`
      SELECT t.name AS task, j.state AS state, j.jobs AS jobs FROM (
        SELECT task, state, count(*) AS jobs FROM millrace_jobs WHERE state = ${stateCodes.running} GROUP BY task
        UNION ALL
        SELECT task, state, count(*) FROM millrace_jobs WHERE state = ${stateCodes.scheduled} GROUP BY task
        UNION ALL
        SELECT task, state, count(*) FROM millrace_jobs WHERE ended_at IS NOT NULL GROUP BY task, state
      ) j JOIN millrace_tasks t ON t.id = j.task`)
    .all()
  return [...available, ...others]
}
