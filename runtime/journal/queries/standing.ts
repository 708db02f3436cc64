import type { Ledger } from '../store/ledger.ts'
import { whyWaiting, type WhyWaiting } from '../limits/why-waiting.ts'
import { recordOf, type StoredJob } from '../store/record.ts'
import { INBOX_NUMBERS_FROM } from '../schema/schema.ts'
import { prepareValue } from '../files/sqlite.ts'

/** What the journal knows of why a job waits. */
export interface StoredStanding {
  readonly row: StoredJob | undefined
  readonly inbox: 'has-it' | 'no'
  /** Somebody's wish, while it runs. */
  readonly wish: 'cancel' | undefined
  readonly waits: WhyWaiting
}

export function standings(ledger: Ledger): (number: number) => StoredStanding {
  const { db } = ledger
  const inbox = prepareValue<[number], number>(db, 'SELECT id FROM millrace_inbox WHERE id = ?')
  const cancelAt = prepareValue<[number], number | null>(db, 'SELECT cancel_at FROM millrace_jobs WHERE id = ?')
  const why = whyWaiting(ledger)
  return (number) => {
    const row = recordOf(db, number)
    return {
      row,
      inbox: inbox.get(number - INBOX_NUMBERS_FROM) === undefined ? 'no' : 'has-it',
      wish: row !== undefined && (cancelAt.get(row.id) ?? null) !== null ? 'cancel' : undefined,
      waits: why(row?.id ?? number),
    }
  }
}

/** How many jobs of each task wait for a claim, by task index; kept as they are written, so that it reads no row. */
export function waitingByTask(ledger: Ledger): number[] {
  return ledger.tasks.names.map((_, task) => ledger.waitingOf(task))
}
