import { toErrorRecord } from '../../lib/error-record.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ConnectionListener, JournalConnection } from '../journal/link.ts'
import { adopt } from '../journal/open.ts'
import type { FromJournal, Group } from '../journal/protocol.ts'
import { journalQueries } from '../journal/queries.ts'
import type { Database } from '../journal/sqlite.ts'
import type { Begun } from '../journal/starts.ts'
import type { Store } from '../journal/store.ts'
import { Turnstile, TURNSTILE_BYTES } from '../journal/turnstile.ts'

/** The journal's own store, without a thread between it and its owner: each group is one commit. */
export class StoreConnection implements JournalConnection {
  readonly turnstile = new Turnstile(new SharedArrayBuffer(TURNSTILE_BYTES))
  readonly exited: Promise<void>
  /** The queries themselves stand in for their remote: whoever asks awaits every answer. */
  readonly query: JournalConnection['query'] = (ask) => ask(journalQueries(this.#store.ledger) as never)
  readonly #store: Store
  readonly #listener: ConnectionListener
  #status: 'open' | 'closed' = 'open'
  #exit: () => void = () => {}

  constructor(db: Database, clock: Clock, begun: Begun, listener: ConnectionListener) {
    const { store, opened } = adopt(db, clock.now(), () => begun)
    this.#store = store
    this.#listener = listener
    this.exited = new Promise((resolve) => {
      this.#exit = resolve
    })
    this.#post({ type: 'opened', journal: opened })
  }

  send(group: Group): void {
    queueMicrotask(() => {
      if (this.#status === 'open') this.#commit(group)
    })
  }

  close(): void {
    queueMicrotask(() => {
      this.cut()
      this.#exit()
    })
  }

  /** From now on nothing is written and nothing is told, as when the process has died. */
  cut(): void {
    this.#status = 'closed'
  }

  #commit(group: Group): void {
    try {
      for (const reply of this.#store.commit([group])) this.#listener.received({ type: 'reply', reply })
    } catch (error) {
      const fault = { kind: 'other', error: toErrorRecord(error) } as const
      this.#listener.received({ type: 'refused', number: group.number, fault })
    }
  }

  #post(message: FromJournal): void {
    queueMicrotask(() => {
      if (this.#status === 'open') this.#listener.received(message)
    })
  }
}
