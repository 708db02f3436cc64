import type { ClaimedJob, Ended } from '../../messages.ts'
import type { EndedRow } from '../store/expired.ts'
import type { SettleEntry } from './gather.ts'
import type { UnsentOutcomes, Reply } from '../protocol.ts'

/** What the owner's stages hear of commits. Called once a group, in the order of the commits. */
export interface JournalListener {
  claimed(jobs: readonly ClaimedJob[]): void
  /** Settles that are committed; a stale one was overtaken by another committed outcome. */
  settled(finished: readonly Ended[], settles: readonly SettleEntry[], stale: ReadonlySet<number>): void
  expired(jobs: Reply['expired']): void
  /** Outcomes that are to be sent home. */
  goHome(homes: readonly UnsentOutcomes[]): void
  /** What other processes wanted of jobs is committed. */
  wished(wished: Reply['wished']): void
  /** An outcome that the journal could not write; its job stays running until the next start. */
  unsettled(job: ClaimedJob, error: Error): void
  nextDueAt(at: number | undefined): void
  suspects(count: number): void
  learnedTasks(names: readonly string[]): void
  /** The journal refuses new jobs from now on, or takes them again. */
  health(state: 'degraded' | 'healthy', error: Error): void
  /** Its log cannot be moved into the file: see `LogGrowth`. */
  overgrown(logBytes: number): void
  /** What the journal has ended by itself in commits of which the news was lost. */
  missed(ended: readonly EndedRow[]): void
  /** The journal thread died; groups that were under way are resolved once it is open again. */
  down(error: Error): void
}
