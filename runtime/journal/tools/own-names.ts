import { SCHEMA } from '../schema/schema.ts'
import { openDatabase } from '../files/sqlite.ts'

/** The tables and indices of a journal that are ours; all others belong to the service. */
export function ownNames(): ReadonlySet<string> {
  const db = openDatabase(':memory:')
  try {
    db.exec(SCHEMA)
    return new Set(db.prepare<[], string>('SELECT name FROM sqlite_master').pluck().all())
  } finally {
    db.close()
  }
}
