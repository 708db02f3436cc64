import {
  attempted,
  type Breaker,
  type BreakerPolicy,
  closedBreaker,
  reached,
  type Suspension,
} from '../../lib/breaker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { ErrorRecord } from '../../lib/error-record.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { givesUpOn, type RetryPolicy } from '../../lib/retry.ts'
import type { Catalog } from '../catalog.ts'
import type { Emit } from '../emit.ts'
import { type ClaimedJob, type Ended, overridesOf } from '../messages.ts'

export interface SuspensionsOptions {
  readonly clock: Clock
  readonly emit: Emit
  readonly catalog: Pick<Catalog, 'breakerOf' | 'name' | 'of'>
  /** Resolves when what is suspended starts no more, and what is not may start. */
  changed(): Promise<void>
  /** Asks for one job of the task, if one waits that may run; the first that is claimed is the one. */
  probe(task: number): void
}

/** Where none came, or it came to nothing, another one is asked for after so long. */
const LOOK_MS = 100

/** What is known of a task with a breaker. */
interface Circuit {
  breaker: Breaker
  /** Of the time at which it opened last. */
  evidence: { readonly failed: number; readonly all: number; readonly error: ErrorRecord }
  /** The one job that may run while its breaker is 'probing'. */
  probe: Pick<ClaimedJob, 'number' | 'claim'> | undefined
  timer: Timer | undefined
}

/**
 * Tasks that are left alone since their attempts keep failing: like a pause that nobody has asked for, and which ends by
 * itself when a single job that is tried has succeeded. Not kept over restarts: a new process may have what the old one
 * lacked.
 */
export class Suspensions {
  readonly #options: SuspensionsOptions
  readonly #circuits = new Map<number, Circuit>()
  readonly #suspended = new Set<number>()

  constructor(options: SuspensionsOptions) {
    this.#options = options
  }

  /** Tasks, by index. */
  all(): readonly number[] {
    return [...this.#suspended]
  }

  /** Why a task is suspended, if it is. */
  of(task: number): Suspension | undefined {
    const circuit = this.#suspended.has(task) ? this.#circuits.get(task) : undefined
    if (circuit === undefined) return undefined
    const { breaker, evidence } = circuit
    return { untilAt: breaker.type === 'open' ? this.#instantOf(breaker.until) : undefined, ...evidence }
  }

  holds(task: number): boolean {
    return this.#suspended.has(task)
  }

  holdsJob(job: ClaimedJob): boolean {
    if (this.#suspended.size === 0 || !this.#suspended.has(job.task)) return false
    return !isProbe(this.#circuitOf(job.task), job)
  }

  /** Claims as they are told: the first one while a job is to be tried is that job, and there is no second. */
  claimed(jobs: readonly ClaimedJob[]): void {
    if (this.#suspended.size === 0) return
    for (const { task, number, claim } of jobs) {
      const circuit = this.#suspended.has(task) ? this.#circuitOf(task) : undefined
      if (circuit?.breaker.type === 'probing') circuit.probe ??= { number, claim }
    }
  }

  /** Tries nothing any more. */
  close(): void {
    for (const { timer } of this.#circuits.values()) timer?.cancel()
    this.#circuits.clear()
  }

  /** Ends of attempts, as they are told. */
  observe(ended: readonly Ended[]): void {
    const { catalog } = this.#options
    for (const each of ended) {
      const policy = catalog.breakerOf(each.job.task)
      if (policy !== undefined) this.#ended(policy, each)
    }
  }

  #ended(policy: BreakerPolicy, { job, outcome }: Ended): void {
    const circuit = this.#circuitOf(job.task)
    const { breaker } = circuit
    // What had begun before says nothing of what has changed since.
    if (breaker.type === 'probing' && !isProbe(circuit, job)) return
    const end = endOf(outcome, () => overridesOf(job).retry ?? this.#options.catalog.of(job).retry)
    circuit.probe = undefined
    if (end === undefined) {
      if (breaker.type === 'probing') this.#after(LOOK_MS, circuit, () => this.#probe(job.task, circuit))
      return
    }
    circuit.breaker = attempted(policy, breaker, end, this.#options.clock.monotonicMs())
    if (circuit.breaker.type === breaker.type) return
    if (circuit.breaker.type === 'closed') this.#resume(job.task)
    if (circuit.breaker.type === 'open' && outcome.type === 'failed') this.#open(job.task, circuit, outcome.error)
  }

  #open(task: number, circuit: Circuit, error: ErrorRecord): void {
    const { clock, emit, catalog, changed } = this.#options
    const { until, failed, all } = circuit.breaker as Extract<Breaker, { type: 'open' }>
    const isNew = !this.#suspended.has(task)
    circuit.evidence = { failed, all, error }
    this.#suspended.add(task)
    if (isNew) void changed()
    this.#after(until - clock.monotonicMs(), circuit, () => this.#tryOne(task, circuit))
    emit.emit('task.suspended', { task: catalog.name(task), untilAt: this.#instantOf(until), failed, all, error })
  }

  #tryOne(task: number, circuit: Circuit): void {
    const { clock, emit, catalog } = this.#options
    circuit.breaker = reached(circuit.breaker, clock.monotonicMs())
    emit.emit('task.probing', { task: catalog.name(task) })
    this.#probe(task, circuit)
  }

  #probe(task: number, circuit: Circuit): void {
    if (circuit.breaker.type !== 'probing' || circuit.probe !== undefined) return
    this.#options.probe(task)
    this.#after(LOOK_MS, circuit, () => this.#probe(task, circuit))
  }

  #after(ms: number, circuit: Circuit, then: () => void): void {
    circuit.timer?.cancel()
    circuit.timer = this.#options.clock.setTimer(ms, then)
    circuit.timer.unref()
  }

  #resume(task: number): void {
    const { catalog, changed, emit } = this.#options
    this.#suspended.delete(task)
    void changed().then(() => emit.emit('task.resumed', { task: catalog.name(task) }))
  }

  #circuitOf(task: number): Circuit {
    const known = this.#circuits.get(task)
    if (known !== undefined) return known
    const circuit: Circuit = { breaker: closedBreaker, evidence: NO_EVIDENCE, probe: undefined, timer: undefined }
    this.#circuits.set(task, circuit)
    return circuit
  }

  #instantOf(monotonicMs: number): number {
    const { clock } = this.#options
    return Math.round(clock.now() + monotonicMs - clock.monotonicMs())
  }
}

const NO_EVIDENCE: Circuit['evidence'] = { failed: 0, all: 0, error: { name: 'Error', message: '' } }

/** What an outcome says of whatever the task depends on, if anything: what may not be tried again or an interruption do not. */
function endOf(outcome: Outcome, policy: () => RetryPolicy): 'succeeded' | 'failed' | undefined {
  if (outcome.type === 'succeeded') return 'succeeded'
  if (outcome.type !== 'failed' || outcome.retry === 'never') return undefined
  return givesUpOn(policy(), outcome.error) ? undefined : 'failed'
}

function isProbe({ probe }: Circuit, job: ClaimedJob): boolean {
  return probe?.number === job.number && probe.claim === job.claim
}
