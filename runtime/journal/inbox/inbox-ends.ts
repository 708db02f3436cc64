import { INBOX_NUMBERS_FROM } from '../schema/schema.ts'
import { type Database, prepareValue } from '../files/sqlite.ts'

/** The number of the first job in the inbox. */
export function firstInInbox(db: Database): number | undefined {
  return numbered(prepareValue<[], number | null>(db, 'SELECT min(id) FROM millrace_inbox').get())
}

/** The number of the last one. Asked for together they would cost a look at all between. */
export function lastInInbox(db: Database): number | undefined {
  return numbered(prepareValue<[], number | null>(db, 'SELECT max(id) FROM millrace_inbox').get())
}

function numbered(id: number | null | undefined): number | undefined {
  return typeof id === 'number' ? INBOX_NUMBERS_FROM + id : undefined
}
