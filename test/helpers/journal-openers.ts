import { adopt, openJournal, type OpenJournal } from '../../runtime/journal/open.ts'
import type { OpenedJournal } from '../../runtime/journal/protocol.ts'
import { openDatabase } from '../../runtime/journal/files/sqlite.ts'
import type { Store } from '../../runtime/journal/store/store.ts'

export const START = 1_700_000_000_000
export const KEEP_MS = 60_000

export interface Opened {
  readonly store: Store
  readonly opened: OpenedJournal
}

/** Every owner finds what the one before has left in memory. */
export function openerInMemory(): (now: number) => Opened {
  const db = openDatabase(':memory:')
  return (now) => adopt(db, now, undefined, KEEP_MS)
}

/** Every owner finds what the one before has left on disk. */
export function openerOf(test: { after(close: () => void): unknown }, file: string): (now: number) => Opened {
  let owned: OpenJournal | undefined
  test.after(() => owned?.close())
  return (now) => {
    owned?.close()
    owned = openJournal({ file, durability: 'relaxed', keepEndedMs: KEEP_MS }, now)
    return owned
  }
}
