import type { JournalFault } from '../protocol.ts'
import { Reserve } from './reserve.ts'
import { CHECKPOINT_PAGES } from './log-bounds.ts'
import type { Database } from './sqlite.ts'

/**
 * What happens when the disk is full: the reserve is given to the log, so that what runs can be settled, and new jobs are
 * refused until there is room for a reserve again.
 */
export class Space {
  readonly #db: Database
  readonly #reserve: Reserve
  #shortage: JournalFault | undefined

  constructor(db: Database, file: string) {
    this.#db = db
    this.#reserve = new Reserve(file)
  }

  /** Why new jobs are refused; undefined while there is room. */
  get shortage(): JournalFault | undefined {
    return this.#shortage
  }

  ranOut(fault: JournalFault): void {
    this.#shortage = fault
    // Moving the log into the file would use up the reserve for nothing that is new.
    this.#db.exec('PRAGMA wal_autocheckpoint = 0')
    this.#reserve.release()
  }

  /** Keeps the reserve; with it a shortage is over. Called from time to time. */
  look(): void {
    if (this.#reserve.keep() === 'missing' || this.#shortage === undefined) return
    this.#shortage = undefined
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  }
}
