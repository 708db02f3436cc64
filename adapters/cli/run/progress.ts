import { type Clock, systemClock, type Timer } from '../../../lib/clock.ts'
import type { Terminal } from '../terminal.ts'
import { count, duration, plural } from '../text.ts'

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
const LEAST_BAR = 6

/** Shows how a run goes: a line that is rewritten on a terminal, a plain line now and then elsewhere. */
export class Progress {
  readonly #terminal: Terminal
  readonly #standing: () => Standing
  readonly #mode: 'bar' | 'lines' | 'quiet'
  readonly #clock: Clock
  #samples: { readonly at: number; readonly written: number }[] = []
  #timer: Timer | undefined

  constructor(terminal: Terminal, standing: () => Standing, shown: 'shown' | 'quiet', clock: Clock = systemClock) {
    this.#terminal = terminal
    this.#standing = standing
    this.#clock = clock
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
    this.#timer = this.#clock.setTimer(this.#mode === 'bar' ? TTY_EVERY_MS : PLAIN_EVERY_MS, () => {
      this.#sample()
      this.#show()
      this.#plan()
    })
    this.#timer.unref()
  }

  #show(): void {
    const [standing, rate] = [this.#standing(), this.#rate()]
    if (this.#mode === 'lines')
      return this.#terminal.err(progressText(standing, rate, Number.POSITIVE_INFINITY, 'no bar'))
    // One column less: at the end of the line a terminal may go on to the next.
    process.stderr.write(`\r${progressText(standing, rate, this.#terminal.columns - 1, 'bar')}\x1b[K`)
  }

  #sample(): void {
    const at = this.#clock.monotonicMs()
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

/** One line: how much is done, how fast, what failed, how long it will take; less of it where `columns` is less. */
export function progressText(standing: Standing, rate: number, columns: number, bar: 'bar' | 'no bar'): string {
  const parts = partsOf(standing, rate)
  const wanted: readonly (keyof typeof parts)[] = ['share', 'done', 'rate', 'failed', 'left']
  const full = wanted.map((name) => parts[name]).filter((part) => part !== '')
  const text = full.join('  ')
  const barWidth = Math.min(BAR, columns - text.length - 2)
  if (bar === 'bar' && parts.share !== '' && barWidth >= LEAST_BAR) return `${barOf(standing, barWidth)}  ${text}`
  // What is looked at least goes first.
  for (const without of [[], ['done'], ['done', 'share'], ['done', 'share', 'rate']]) {
    const rest = wanted.filter((name) => !without.includes(name)).map((name) => parts[name])
    const short = rest.filter((part) => part !== '')
    for (const gap of ['  ', ' ']) if (short.join(gap).length <= columns) return short.join(gap)
  }
  return `${parts.failed} ${parts.left}`.slice(0, columns)
}

function partsOf(standing: Standing, rate: number) {
  const { written, failures, total } = standing
  const share = shareOf(standing)
  return {
    share: share === undefined ? '' : `${Math.floor(share * 100)} %`,
    done: total === undefined ? count(written) : `${count(written)} of ${count(total)}`,
    rate: `${count(rate)}/s`,
    failed: `${count(failures)} failed`,
    left: leftText(standing, rate),
  }
}

function leftText({ written, total, open, children }: Standing, rate: number): string {
  // Nobody knows how long they take: each may enqueue others.
  if (children !== undefined) return `${plural(children, 'job')} of lines left`
  if (total === undefined) return `${count(open)} under way`
  // All lines have their outcome; what they have enqueued is about to be counted.
  if (written >= total) return ''
  return rate > 0 ? `${duration(((total - written) * 1_000) / rate)} left` : ''
}

function shareOf({ written, total }: Standing): number | undefined {
  return total === undefined || total === 0 ? undefined : Math.min(1, written / total)
}

function barOf(standing: Standing, width: number): string {
  const filled = Math.round((shareOf(standing) ?? 0) * width)
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
}
