import { randomInt } from 'node:crypto'
import { INBOX_NUMBERS_FROM, JOURNAL_VERSION, TAKEN_NUMBERS_FROM } from '../schema/schema.ts'
import { type Database, prepareValue } from '../files/sqlite.ts'

/** Makes a journal consistent of which rows are missing; returns what had to be made up. */
export function mendJournal(db: Database): string[] {
  const notes: string[] = []
  if (db.prepare('SELECT 1 FROM main.millrace_meta').get() === undefined) {
    const name = randomInt(36 ** 5, 36 ** 6).toString(36)
    db.prepare("INSERT INTO main.millrace_meta VALUES (1, ?, ?, 0, 0, 1, 1, '{}')").run(JOURNAL_VERSION, name)
    notes.push(`the journal's name was lost: the ids of its jobs begin with ${name} from now on`)
  }
  // The tables are this version's, whichever the damaged journal was of.
  db.prepare('UPDATE main.millrace_meta SET version = ?').run(JOURNAL_VERSION)
  mendNumbers(db)
  const tasks = db
    .prepare(`
      INSERT INTO main.millrace_tasks (id, name)
      SELECT DISTINCT task, 'lost.task-' || task FROM main.millrace_jobs
      WHERE task NOT IN (SELECT id FROM main.millrace_tasks)`)
    .run().changes
  if (tasks > 0) notes.push(`the names of ${tasks} tasks were lost: their jobs are of tasks lost.task-N now`)
  const keys = db
    .prepare('DELETE FROM main.millrace_keys WHERE until IS NULL AND job NOT IN (SELECT id FROM main.millrace_jobs)')
    .run().changes
  if (keys > 0) notes.push(`${keys} keys are free again, since their jobs were lost`)
  db.exec('DELETE FROM main.millrace_attempts WHERE job NOT IN (SELECT id FROM main.millrace_jobs)')
  return notes
}

/** No number is given out twice, whichever rows tell of it. */
function mendNumbers(db: Database): void {
  const most = (sql: string) => prepareValue<[], number | null>(db, sql).get() ?? 0
  const ord = most('SELECT max(ord) FROM main.millrace_jobs')
  const number = most(`SELECT max(id) FROM main.millrace_jobs WHERE id < ${TAKEN_NUMBERS_FROM}`)
  const inbox = most(`SELECT max(id) FROM main.millrace_jobs WHERE id >= ${INBOX_NUMBERS_FROM}`) - INBOX_NUMBERS_FROM
  db.prepare('UPDATE main.millrace_meta SET next_ord = max(next_ord, ?), next_number = max(next_number, ?)').run(
    ord + 1,
    number + 1,
  )
  if (inbox < 0) return
  const known = prepareValue<[], number>(db, "SELECT 1 FROM main.sqlite_sequence WHERE name = 'millrace_inbox'").get()
  if (known === undefined) db.exec("INSERT INTO main.sqlite_sequence (name, seq) VALUES ('millrace_inbox', 0)")
  db.prepare("UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = 'millrace_inbox'").run(inbox)
}
