import { type Clock, pause, systemClock } from '../../../lib/clock.ts'
import { BEAT_MS } from '../../../lib/verdict.ts'
import type { ThreadReport } from '../../messages.ts'
import { Gauge } from '../gauge.ts'
import { processorTimeOf, UNTOLD } from '../readings.ts'

/** What the service's own loop does, read on itself: who can ask here turns. What it cannot see the watchdog does. */
export class LoopGauge {
  readonly #clock: Clock
  readonly #gauge: Gauge

  constructor(clock: Clock) {
    this.#clock = clock
    this.#gauge = new Gauge(() => {
      const at = clock.monotonicMs()
      const time = processorTimeOf(process.pid) ?? UNTOLD
      return { ...time, at, beatAt: at, activeMs: performance.eventLoopUtilization().active }
    })
  }

  /** `oldest` and `running` are asked for after a beat, if the looks so far do not tell enough. */
  async report(of: () => Pick<ThreadReport, 'oldest' | 'running'>): Promise<ThreadReport> {
    const first = this.#look(of())
    if (this.#gauge.tells) return first
    // Real time, also where a test has stopped the clock of the jobs.
    await pause(systemClock, BEAT_MS)
    return this.#look(of())
  }

  #look({ oldest, running }: Pick<ThreadReport, 'oldest' | 'running'>): ThreadReport {
    const longestMs = oldest === undefined ? undefined : this.#clock.monotonicMs() - oldest.startedAt
    const judged = this.#gauge.look({ status: 'serving', toldToEndMs: undefined, longestMs })
    return { thread: 'loop', ...judged, oldest, running, offered: 0 }
  }
}
