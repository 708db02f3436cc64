import { systemClock, type Timer } from '../../../lib/clock.ts'
import type { Terminal } from '../terminal.ts'
import { count, duration } from '../text.ts'

/** How far a run is. */
export interface Standing {
  /** Lines whose outcome is in the output, of earlier runs too. */
  readonly written: number
  readonly failures: number
  /** Lines of the whole input: counted, or estimated from the bytes read so far; `undefined` for a stream. */
  readonly total: number | undefined
  readonly open: number
  /** Jobs of lines' jobs that are due or run; `undefined` as long as lines are under way. */
  readonly children: number | undefined
}

const TTY_EVERY_MS = 200
const PLAIN_EVERY_MS = 5_000
/** The rate is that of the last seconds, since a long run does not go at one speed. */
const RATE_WINDOW_MS = 10_000
const BAR = 24

/** Shows how a run goes: a line that is rewritten on a terminal, a plain line now and then elsewhere. */
export class Progress {
  readonly #terminal: Terminal
  readonly #standing: () => Standing
  readonly #mode: 'bar' | 'lines' | 'quiet'
  #samples: { readonly at: number; readonly written: number }[] = []
  #timer: Timer | undefined

  constructor(terminal: Terminal, standing: () => Standing, shown: 'shown' | 'quiet') {
    this.#terminal = terminal
    this.#standing = standing
    this.#mode = shown === 'quiet' ? 'quiet' : terminal.isInteractive ? 'bar' : 'lines'
  }

  start(): void {
    if (this.#mode === 'quiet') return
    this.#sample()
    this.#plan()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#clear()
  }

  /** Writes a line that stays, above the bar. */
  tell(text: string): void {
    this.#clear()
    this.#terminal.err(text)
  }

  #clear(): void {
    if (this.#mode === 'bar') process.stderr.write('\r\x1b[K')
  }

  #plan(): void {
    this.#timer = systemClock.setTimer(this.#mode === 'bar' ? TTY_EVERY_MS : PLAIN_EVERY_MS, () => {
      this.#sample()
      const text = progressText(this.#standing(), this.#rate(), this.#mode === 'bar' ? BAR : 0)
      if (this.#mode === 'bar') process.stderr.write(`\r${text.slice(0, this.#terminal.columns - 1)}\x1b[K`)
      else this.#terminal.err(text)
      this.#plan()
    })
    this.#timer.unref()
  }

  #sample(): void {
    const at = systemClock.monotonicMs()
    this.#samples.push({ at, written: this.#standing().written })
    while ((this.#samples[1]?.at ?? at) < at - RATE_WINDOW_MS) this.#samples.shift()
  }

  /** Lines a second. */
  #rate(): number {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at === first.at) return 0
    return ((last.written - first.written) * 1_000) / (last.at - first.at)
  }
}

/** One line: how much is done, how fast, what failed, how long it will take. */
export function progressText({ written, failures, total, open }: Standing, rate: number, barWidth: number): string {
  const share = total === undefined || total === 0 ? undefined : Math.min(1, written / total)
  const filled = Math.round((share ?? 0) * barWidth)
  return [
    ...(share === undefined || barWidth === 0 ? [] : [`${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`]),
    ...(share === undefined ? [] : [`${Math.floor(share * 100)} %`]),
    total === undefined ? count(written) : `${count(written)} of ${count(total)}`,
    `${count(rate)}/s`,
    `${count(failures)} failed`,
    ...(total !== undefined && rate > 0 ? [`${duration((Math.max(0, total - written) * 1_000) / rate)} left`] : []),
    ...(total === undefined ? [`${count(open)} under way`] : []),
  ].join('  ')
}
