import { type Clock, pause } from '../../../lib/clock.ts'
import { BEAT_MS, type Reading, type Standing } from '../../../lib/verdict.ts'
import type { Found, Running, ThreadReport } from '../../messages.ts'
import { Gauge } from '../gauge.ts'
import type { ProcessEntry, ProcessLife } from './process-life.ts'
import { processorTimeOf, UNTOLD } from '../readings.ts'

export interface ProcessInspectorOptions {
  readonly clock: Clock
  /** All that have not exited. */
  lives(): Iterable<ProcessLife>
}

/**
 * Looks at processes from outside. They share no memory, so there is no beat: one that has a job works or waits, by the
 * time that it has a processor, and whether its loop turns is not known.
 */
export class ProcessInspector {
  readonly #options: ProcessInspectorOptions
  readonly #gauges = new WeakMap<ProcessLife, Gauge>()

  constructor(options: ProcessInspectorOptions) {
    this.#options = options
  }

  /** Takes a beat longer where one look does not tell enough. */
  async report(): Promise<readonly ThreadReport[]> {
    const { clock, lives } = this.#options
    const first = this.#reports()
    if ([...lives()].every((life) => this.#gaugeOf(life).tells)) return first
    await pause(clock, BEAT_MS)
    return this.#reports()
  }

  find(number: number): Found | undefined {
    for (const { entry, number: thread } of this.#options.lives()) {
      if (entry?.job.number !== number) continue
      const { begunAt: startedAt, verdict } = entry
      if (startedAt === undefined) return { type: 'offered', thread, behind: undefined }
      return { type: verdict === undefined ? 'running' : 'given-up', thread, startedAt }
    }
    return undefined
  }

  #reports(): ThreadReport[] {
    return [...this.#options.lives()].map((life) => {
      const { entry, number } = life
      const oldest = entry === undefined ? undefined : runningOf(entry)
      return {
        thread: number,
        ...this.#gaugeOf(life).look(this.#standingOf(life)),
        oldest,
        running: oldest === undefined ? 0 : 1,
        offered: entry === undefined || oldest !== undefined ? 0 : 1,
      }
    })
  }

  #standingOf({ status, entry, toldToEndAt }: ProcessLife): Standing {
    const now = this.#options.clock.monotonicMs()
    return {
      status: status === 'starting' ? 'starting' : 'serving',
      toldToEndMs: toldToEndAt === undefined ? undefined : now - toldToEndAt,
      longestMs: entry?.begunAt === undefined ? undefined : now - entry.begunAt,
    }
  }

  #gaugeOf(life: ProcessLife): Gauge {
    const known = this.#gauges.get(life)
    if (known !== undefined) return known
    const gauge = new Gauge(() => this.#read(life))
    this.#gauges.set(life, gauge)
    return gauge
  }

  #read({ pid }: ProcessLife): Reading {
    const time = processorTimeOf(pid, pid) ?? UNTOLD
    const at = this.#options.clock.monotonicMs()
    return { ...time, at, beatAt: at, activeMs: undefined }
  }
}

/** `undefined` for a job that was sent and has not begun. */
export function runningOf({ job, begunAt }: ProcessEntry): Running | undefined {
  return begunAt === undefined ? undefined : { number: job.number, task: job.task, startedAt: begunAt }
}
