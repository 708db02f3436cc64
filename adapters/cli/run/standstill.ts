import { systemClock, type Timer } from '../../../lib/clock.ts'
import type { Runtime } from '../../../runtime/index.ts'

const LOOK_MS = 100

/**
 * Tells when nothing is left of a run but jobs in native calls past their hard limit: no end of theirs may ever come, since
 * nothing ends such a call but the end of the process.
 */
export class Standstill {
  /** Resolves to how many those are, when it has been so for as long as the patience. */
  readonly come: Promise<number>
  readonly #runtime: Runtime
  readonly #task: string
  readonly #patienceMs: number
  readonly #hung = new Set<string>()
  #status: 'feeding' | 'fed' | 'over' = 'feeding'
  #resolve: (jobs: number) => void = () => {}
  #aloneSinceMs: number | undefined
  #timer: Timer | undefined

  /** `task` is that of the lines: one of theirs that waits for a time is waited for. */
  constructor(runtime: Runtime, task: string, patienceMs: number) {
    this.#runtime = runtime
    this.#task = task
    this.#patienceMs = patienceMs
    this.come = new Promise((resolve) => {
      this.#resolve = resolve
    })
    runtime.on('thread.hung', ({ jobs }) => {
      for (const { id } of jobs) this.#hung.add(id)
      this.#plan()
    })
  }

  /** Every line has been started. */
  fed(): void {
    if (this.#status === 'feeding') this.#status = 'fed'
    this.#plan()
  }

  end(): void {
    this.#status = 'over'
    this.#timer?.cancel()
  }

  #plan(): void {
    if (this.#status !== 'fed' || this.#hung.size === 0 || this.#timer !== undefined) return
    this.#timer = systemClock.setTimer(LOOK_MS, () => {
      // A runtime that has stopped meanwhile answers nothing, and is waited for by nobody.
      this.#look().catch(() => this.end())
    })
  }

  async #look(): Promise<void> {
    for (const id of this.#hung) if (!(await this.#isRunning(id))) this.#hung.delete(id)
    const nowMs = systemClock.monotonicMs()
    this.#aloneSinceMs = (await this.#isAlone()) ? (this.#aloneSinceMs ?? nowMs) : undefined
    if (this.#aloneSinceMs !== undefined && nowMs - this.#aloneSinceMs >= this.#patienceMs) {
      this.end()
      return this.#resolve(this.#hung.size)
    }
    this.#timer = undefined
    this.#plan()
  }

  async #isRunning(id: string): Promise<boolean> {
    const record = await this.#runtime
      .job(id)
      .record()
      .catch(() => undefined)
    return record?.state === 'running'
  }

  async #isAlone(): Promise<boolean> {
    if (this.#hung.size === 0) return false
    let [running, due] = [0, 0]
    for (const { task, place, jobs } of await this.#runtime.tasks()) {
      if (place === undefined) continue
      running += jobs.running ?? 0
      due += (jobs.available ?? 0) + (task === this.#task ? (jobs.scheduled ?? 0) : 0)
    }
    return running === this.#hung.size && due === 0
  }
}
