import { fromErrorRecord } from '../../../lib/error-record.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import type { ClaimedJob, Ended } from '../../messages.ts'
import type { ProcessEnd } from '../ends.ts'
import { ABORT_MS, EXIT_MS } from '../grace.ts'
import { enqueueNow, giveNumbers } from '../owner-answers.ts'
import { ProcessInspector } from './process-inspector.ts'
import { ProcessLife, type ProcessListener } from './process-life.ts'
import { ProcessWatch } from './process-watch.ts'
import { StartNews } from '../start-news.ts'
import type { PlaceContext } from '../threads/thread-place-options.ts'
import { until } from '../until.ts'

/** What a place makes of what its processes do. */
export interface ProcessLivesOptions {
  readonly place: string
  /** The place's index among all places. */
  readonly index: number
  /** It has loaded its tasks, and can be given a job. */
  ready(life: ProcessLife, tasks: readonly TaskManifest[]): void
  /** Code that an ended job has left behind in it has thrown, which has been told. */
  stray(life: ProcessLife): void
  ended(life: ProcessLife, ended: Ended): void
  /** It is none of these any more; its job, if it had one, is still its entry. */
  exited(life: ProcessLife, end: ProcessEnd): void
  /** Ends a process at a limit; `verdict` is what becomes of its job, if that has begun. */
  end(life: ProcessLife, verdict: Outcome | undefined): void
  /** A job that has not ended has run for so long. */
  runs(job: ClaimedJob, ms: number): void
}

/** All processes of a place that have not exited: starts and stops them, and answers what any of them asks. */
export class ProcessLives {
  readonly inspector: ProcessInspector
  readonly #watch: ProcessWatch
  readonly #options: ProcessLivesOptions
  readonly #context: PlaceContext
  readonly #alive = new Set<ProcessLife>()

  constructor(options: ProcessLivesOptions, context: PlaceContext) {
    this.#options = options
    this.#context = context
    const { clock } = context
    const lives = () => this.#alive
    this.inspector = new ProcessInspector({ clock, lives })
    this.#watch = new ProcessWatch({
      clock,
      starts: new StartNews(context),
      lives,
      end: (life, verdict) => options.end(life, verdict),
      runs: (job, ms) => options.runs(job, ms),
    })
  }

  [Symbol.iterator](): Iterator<ProcessLife> {
    return this.#alive.values()
  }

  /** `heapMb` bounds its JavaScript, `maxMemoryMb` all that it uses. */
  start(number: number, maxMemoryMb: number | undefined, heapMb: number | undefined): ProcessLife {
    const { clock, thread, journal } = this.#context
    const data = { ...thread, ...journal, parent: process.pid, maxMemoryMb }
    const life = new ProcessLife({ place: this.#options.place, number, data, heapMb, clock }, this.#listener)
    this.#alive.add(life)
    return life
  }

  /** `record` is where the process notes the start. */
  run(life: ProcessLife, job: ClaimedJob, record: number): void {
    const { catalog } = this.#context
    life.run(job, { task: catalog.name(job.task), limits: catalog.limits(job) }, record)
    this.#watch.start()
  }

  /** Whoever calls it gives them no more work, and looks at its claims then: what is left is killed and has not exited yet. */
  async stop(graceMs: number, isIdle: () => boolean): Promise<void> {
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + graceMs + ABORT_MS + EXIT_MS
    await until(clock, isIdle, graceMs)
    for (const life of this.#alive) life.ask('drain')
    await until(clock, isIdle, ABORT_MS)
    for (const life of this.#alive) {
      if (life.entry === undefined) life.leave()
      else life.condemn({ type: 'interrupted', cause: 'drain' })
    }
    // Processes tear down what their modules have set up, in what is left of the grace.
    await until(clock, () => this.#alive.size === 0, Math.max(endsAt - clock.monotonicMs(), EXIT_MS))
    this.#watch.stop()
    for (const life of this.#alive) life.kill()
  }

  readonly #listener: ProcessListener = {
    received: (life, message) => {
      const { children, listener } = this.#context
      switch (message.type) {
        case 'ready':
          // One that is told to end meanwhile stays so.
          if (life.status !== 'starting') return
          life.becomeReady(message.memoryBytes)
          giveNumbers(children, (answer) => life.post(answer))
          return this.#options.ready(life, message.tasks)
        case 'unusable':
          life.start = fromErrorRecord(message.error)
          return life.kill()
        case 'progress':
          return listener.progress(message.number, message.task, message.value)
        case 'stray':
          listener.stray(this.#options.index, message.number, message.error)
          // What no job has left behind is the modules' own: the next process would do the same.
          return message.number === undefined ? undefined : this.#options.stray(life)
        case 'enqueue':
          return enqueueNow(children, message, (answer) => life.post(answer))
        case 'numbers-wanted':
          return giveNumbers(children, (answer) => life.post(answer))
      }
    },
    ended: (life, ended) => this.#options.ended(life, ended),
    exited: (life, end) => {
      this.#alive.delete(life)
      this.#options.exited(life, end)
    },
  }
}
