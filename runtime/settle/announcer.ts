import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import type { RuntimeEvents } from '../../lib/events.ts'
import type { End } from '../../lib/job-end.ts'
import { isEnded, transitions } from '../../lib/job-state.ts'
import { formatJobId, isJobOf } from '../../lib/job.ts'
import { type Outcome, outputOf } from '../../lib/outcome.ts'
import type { Catalog } from '../catalog.ts'
import type { Emit } from '../emit.ts'
import type { Expired } from '../journal/store/expired.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'
import { noOutcome } from '../journal/crossing/no-outcome.ts'
import type { GivenUp, Settle } from '../journal/protocol.ts'
import type { Recovered } from '../journal/store/recover.ts'
import type { Ended } from '../messages.ts'
import type { Results } from './results.ts'

export interface AnnouncerOptions {
  readonly catalog: Catalog
  readonly results: Results
  readonly emit: Emit
  readonly wishes: Set<number>
  /** The name in the journal's job ids. */
  journalName(): string
  /** The id of a job that is a delivery, by its number here. */
  takenId?(number: number): string | undefined
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
      const output = outputOf(ended.outcome)
      results.ended(number, output === '' ? NO_RESULT : { state: 'succeeded', output })
      if (tell) emit.emit('job.succeeded', this.#attemptOf(ended))
    }
    for (const { ended, settle } of settles) {
      const isStale = stale.has(settle.number)
      // One that was decided before the wish may run again: the wish is still good.
      if (isStale || isEnded(transitions[settle.transition].to)) wishes.delete(settle.number)
      if (!isStale) this.#settled(ended, settle)
    }
  }

  /** Waiting jobs that the journal has ended since their time to start was over. */
  expired(jobs: readonly Expired[]): void {
    const { results, emit, catalog, wishes } = this.#options
    for (const { number, task, error } of jobs) {
      wishes.delete(number)
      results.ended(number, { state: 'expired', ...(error !== undefined && { error }) })
      emit.emit('job.expired', { id: this.#idOf(number), task: catalog.name(task) })
    }
  }

  /** Jobs that this start has cancelled, instead of making them available again. */
  recovered({ cancelled }: Recovered): void {
    const { results, emit } = this.#options
    for (const { number, task } of cancelled) {
      results.ended(number, { state: 'cancelled' })
      emit.emit('job.cancelled', { id: this.#idOf(number), task })
    }
  }

  /** Waiting jobs that the journal has ended since somebody wanted it. */
  cancelled(numbers: readonly number[], tasks: readonly number[]): void {
    const { results, emit, catalog, wishes } = this.#options
    numbers.forEach((number, at) => {
      wishes.delete(number)
      results.ended(number, { state: 'cancelled' })
      emit.emit('job.cancelled', { id: this.#idOf(number), task: catalog.name(tasks[at] as number) })
    })
  }

  /** Jobs that were away for too long. */
  gaveUp(jobs: readonly GivenUp[]): void {
    const { results, emit, catalog, wishes } = this.#options
    const error = toErrorRecord(noOutcome())
    for (const { number, task, attempt } of jobs) {
      wishes.delete(number)
      results.ended(number, { state: 'dead', error })
      emit.emit('job.dead', { id: this.#idOf(number), task: catalog.name(task), attempt, ranMs: undefined, error })
    }
  }

  #settled(ended: Ended, settle: Settle): void {
    const { outcome } = ended
    const { taken } = settle
    const { to } = transitions[settle.transition]
    // Where the job is one of this node's own, its homecoming tells.
    if (taken?.home !== undefined && isJobOf(this.#options.journalName(), taken.id)) return
    if (isEnded(to) && taken === undefined) this.#options.results.ended(settle.number, endOf(to, outcome))
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
        if (outcome.type === 'put-off') return undefined
        return emit.emit('job.snoozed', { ...event, nextAt })
      case 'discard':
        return emit.emit('job.discarded', { ...event, reason: outcome.type === 'discarded' ? outcome.reason : '' })
      case 'cancel-running':
        return emit.emit('job.cancelled', { id: event.id, task: event.task })
      case 'expire':
        return emit.emit('job.expired', { id: event.id, task: event.task })
      case 'release':
        return emit.emit('job.interrupted', event)
      case 'hand-over':
        return undefined
    }
  }

  #idOf(number: number): string {
    return this.#options.takenId?.(number) ?? formatJobId(this.#options.journalName(), number)
  }

  #attemptOf({ job, startedAt, endedAt }: Ended): AttemptEvent {
    const { catalog } = this.#options
    return {
      id: this.#idOf(job.number),
      task: catalog.name(job.task),
      attempt: job.attempt + 1,
      ranMs: startedAt === undefined || endedAt === undefined ? undefined : endedAt - startedAt,
    }
  }
}

/** Nearly every end, remembered ten thousand times. */
const NO_RESULT: End = { state: 'succeeded', output: '' }

const NO_ERROR: ErrorRecord = { name: 'Error', message: '' }

function endOf(state: End['state'], outcome: Outcome): End {
  return {
    state,
    ...(outcome.type === 'succeeded' && { output: outcome.output }),
    ...('error' in outcome && outcome.error !== undefined && { error: outcome.error }),
    ...(outcome.type === 'discarded' && { reason: outcome.reason }),
  }
}
