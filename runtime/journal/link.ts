import type { Group } from './protocol.ts'

/** Where groups go: a thread, or in tests the store itself. Replies come to `JournalClient.received`. */
export interface JournalLink {
  send(group: Group): void
}
