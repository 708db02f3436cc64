import type { ErrorRecord } from '../../lib/error-record.ts'
import type { RuntimeEvents } from '../../lib/events.ts'
import { isEnded, transitions } from '../../lib/job-state.ts'
import { formatJobId } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { Catalog } from '../catalog.ts'
import type { Emit } from '../emit.ts'
import type { SettleEntry } from '../journal/gather.ts'
import type { Settle } from '../journal/protocol.ts'
import type { Ended } from '../messages.ts'
import type { End, Results } from './results.ts'

export interface AnnouncerOptions {
  readonly catalog: Catalog
  readonly results: Results
  readonly emit: Emit
  readonly wishes: Set<number>
  /** The name in the journal's job ids. */
  journalName(): string
}

type AttemptEvent = Parameters<RuntimeEvents['job.succeeded']>[0]

/** Tells who waits, and who listens, what has been committed; never before it is. */
export class Announcer {
  readonly #options: AnnouncerOptions

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** One commit's settles; a stale one was decided by another commit, and says nothing. */
  committed(finished: readonly Ended[], settles: readonly SettleEntry[], stale: ReadonlySet<number>): void {
    const { results, emit, wishes } = this.#options
    const tell = emit.hasListeners('job.succeeded')
    for (const ended of finished) {
      const { number } = ended.job
      if (stale.size > 0 && stale.has(number)) continue
      if (wishes.size > 0) wishes.delete(number)
      results.ended(number, { state: 'succeeded', output: outputOf(ended.outcome) })
      if (tell) emit.emit('job.succeeded', this.#attemptOf(ended))
    }
    for (const { ended, settle } of settles) {
      wishes.delete(settle.number)
      if (!stale.has(settle.number)) this.#settled(ended, settle)
    }
  }

  /** Waiting jobs that the journal has ended since their time to start was over. */
  expired(jobs: readonly { readonly number: number; readonly task: number }[]): void {
    const { results, emit, catalog, journalName } = this.#options
    for (const { number, task } of jobs) {
      results.ended(number, { state: 'expired' })
      emit.emit('job.expired', { id: formatJobId(journalName(), number), task: catalog.name(task) })
    }
  }

  #settled(ended: Ended, settle: Settle): void {
    const { outcome } = ended
    const { to } = transitions[settle.transition]
    if (isEnded(to)) this.#options.results.ended(settle.number, endOf(to, outcome))
    this.#emit(settle, outcome, this.#attemptOf(ended))
  }

  #emit(settle: Settle, outcome: Outcome, event: AttemptEvent): void {
    const { emit } = this.#options
    const error = outcome.type === 'failed' ? outcome.error : NO_ERROR
    const nextAt = settle.dueAt ?? 0
    switch (settle.transition) {
      case 'succeed':
        return emit.emit('job.succeeded', event)
      case 'retry':
        return emit.emit('job.retrying', { ...event, error, nextAt })
      case 'die':
        return emit.emit('job.dead', { ...event, error })
      case 'snooze':
        return emit.emit('job.snoozed', { ...event, nextAt })
      case 'discard':
        return emit.emit('job.discarded', { ...event, reason: outcome.type === 'discarded' ? outcome.reason : '' })
      case 'cancel-running':
        return emit.emit('job.cancelled', { id: event.id, task: event.task })
      case 'expire':
        return emit.emit('job.expired', { id: event.id, task: event.task })
      case 'release':
        return emit.emit('job.interrupted', event)
    }
  }

  #attemptOf({ job, startedAt, endedAt }: Ended): AttemptEvent {
    const { catalog, journalName } = this.#options
    return {
      id: formatJobId(journalName(), job.number),
      task: catalog.name(job.task),
      attempt: job.attempt + 1,
      ranMs: startedAt === undefined || endedAt === undefined ? undefined : endedAt - startedAt,
    }
  }
}

const NO_ERROR: ErrorRecord = { name: 'Error', message: '' }

function outputOf(outcome: Outcome): string {
  return outcome.type === 'succeeded' ? outcome.output : ''
}

function endOf(state: End['state'], outcome: Outcome): End {
  return {
    state,
    ...(outcome.type === 'succeeded' && { output: outcome.output }),
    ...(outcome.type === 'failed' && { error: outcome.error }),
    ...(outcome.type === 'discarded' && { reason: outcome.reason }),
  }
}
