import { toErrorRecord } from '../../lib/error-record.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ConnectionListener, JournalConnection } from '../journal/link.ts'
import { adopt } from '../journal/open.ts'
import type { FromJournal, Group } from '../journal/protocol.ts'
import { type JournalQueries, journalQueries } from '../journal/queries/queries.ts'
import type { Database } from '../journal/files/sqlite.ts'
import type { Begun } from '../journal/files/starts.ts'
import type { Store } from '../journal/store/store.ts'
import { Turnstile, TURNSTILE_BYTES } from '../journal/turnstile.ts'

/** The journal's own store, without a thread between it and its owner: each group is one commit. */
export class StoreConnection implements JournalConnection {
  readonly turnstile = new Turnstile(new SharedArrayBuffer(TURNSTILE_BYTES))
  readonly exited: Promise<void>
  readonly query: JournalConnection['query']
  readonly #store: Store
  readonly #listener: ConnectionListener
  #status: 'open' | 'closed' = 'open'
  #exit: () => void = () => {}

  constructor(db: Database, clock: Clock, begun: Begun, listener: ConnectionListener) {
    const { store, opened } = adopt(db, clock.now(), () => begun)
    this.#store = store
    this.#listener = listener
    const queries = answering(journalQueries(store.ledger))
    this.query = (ask) => ask(queries)
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

/** What a connection asks. */
type Asked = Parameters<Parameters<JournalConnection['query']>[0]>[0]

type Answering = {
  [Name in keyof JournalQueries]: (
    ...args: Parameters<JournalQueries[Name]>
  ) => Promise<Awaited<ReturnType<JournalQueries[Name]>>>
}

/** Queries as their remote has them: each answer is a promise, and what a query throws rejects it. */
function answering(queries: JournalQueries): Asked {
  const all = Object.entries(queries) as [string, (...args: unknown[]) => unknown][]
  const promised = all.map(([name, query]) => [name, async (...args: unknown[]) => query(...args)])
  return Object.fromEntries(promised) as Answering as Asked
}
