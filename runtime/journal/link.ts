import type { Remote } from 'comlink'
import type { JournalOptions } from './open.ts'
import type { FromJournal, Group } from './protocol.ts'
import type { JournalQueries } from './queries/queries.ts'
import type { Turnstile } from './turnstile.ts'

/** Where groups go. Replies come to `JournalClient.received`. */
export interface JournalLink {
  send(group: Group): void
}

/** An open journal as its owner sees it: a thread, or in tests the store itself. */
export interface JournalConnection extends JournalLink {
  readonly turnstile: Turnstile
  /** Resolves when nothing will be written through it any more. */
  readonly exited: Promise<void>
  /** Asks for the end, after everything that was sent before. */
  close(): void
  /** Runs a query; rejects when the connection ends first. */
  query<T>(ask: (queries: Remote<JournalQueries>) => Promise<T>): Promise<T>
}

export interface ConnectionListener {
  received(message: FromJournal): void
  /** The connection is gone; whatever was not answered has an unknown outcome. */
  exited(error: Error): void
}

/** `resume`: the owner epoch to go on with, after an earlier connection of the same owner has died. */
export type ConnectJournal = (
  options: JournalOptions,
  resume: number | undefined,
  listener: ConnectionListener,
) => JournalConnection
