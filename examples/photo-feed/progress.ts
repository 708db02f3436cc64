import type { Plan } from './plan.ts'
import type { Seen } from './playing.ts'
import type { Stats } from './report.ts'
import { deliver, share, thumbnail } from './tasks.ts'

/** What happens once and stays to be read: 'bad' and 'good' have a colour. */
export type Event = 'bad' | 'good' | 'plain'

/** As much of a stream as is needed to show something on it. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

interface Row {
  readonly name: string
  readonly done: number
  readonly of: number
  readonly note: string
}

const LINE_EVERY_MS = 1_000
const BAR = 22
const COLOURS = { bad: '\x1b[31m', good: '\x1b[32m', plain: '' } as const
const NOTES: Readonly<Record<string, string>> = {
  [thumbnail.name]: 'on 2 threads',
  [deliver.name]: '10,000 followers each',
  [share.name]: 'every third try fails',
}

/** Tells how far things are: on a terminal as bars that grow, elsewhere as a line each second. */
export class Progress {
  readonly #plan: Plan
  readonly #screen: Screen
  readonly #startedAt = performance.now()
  #lineAt = Number.NEGATIVE_INFINITY
  /** Lines of the bars that are on the screen, to be written over. */
  #drawn = 0

  constructor(plan: Plan, screen: Screen = process.stdout) {
    this.#plan = plan
    this.#screen = screen
  }

  show(posted: number, { stats, text }: Omit<Seen, 'state'>): void {
    const now = performance.now()
    const rows = this.#rows(posted, stats)
    if (this.#screen.isTTY === true) return this.#draw(text, rows)
    if (now - this.#lineAt < LINE_EVERY_MS) return
    this.#lineAt = now
    const counts = rows.map(({ name, done, of }) => `${name} ${done}/${of}`).join('  ')
    this.#screen.write(`${this.#time()}  ${counts}  ${text}\n`)
  }

  tell(text: string, event: Event = 'plain'): void {
    const line = `${this.#time()}  ${text}`
    const isColoured = this.#screen.isTTY === true && event !== 'plain' && process.env['NO_COLOR'] === undefined
    this.clear()
    this.#screen.write(isColoured ? `${COLOURS[event]}${line}\x1b[0m\n` : `${line}\n`)
  }

  /** Leaves the bars where they are; what comes next stands below them. */
  keep(): void {
    this.#drawn = 0
  }

  /** Takes the bars away. */
  clear(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\r\x1b[J`)
    this.#drawn = 0
  }

  #rows(posted: number, stats: Stats): readonly Row[] {
    const jobs = [...this.#plan.jobs].map(([name, of]) => {
      const done = stats.reduce((sum, { task, jobs }) => sum + (task === name ? (jobs.succeeded ?? 0) : 0), 0)
      return { name, done, of, note: NOTES[name] ?? '' }
    })
    return [{ name: 'posts', done: posted, of: this.#plan.posts.length, note: '16 requests at once' }, ...jobs]
  }

  #draw(head: string, rows: readonly Row[]): void {
    const lines = [`${this.#time()}  ${head}`, ...rows.map((row) => `  ${rowText(row)}`)]
    const columns = this.#screen.columns ?? 80
    // A line that is wrapped would be two, and the next bars in the wrong place.
    const text = lines.map((line) => `${line.slice(0, columns - 1)}\x1b[K\n`).join('')
    this.#screen.write(this.#drawn > 0 ? `\x1b[${this.#drawn}A\r${text}` : text)
    this.#drawn = lines.length
  }

  #time(): string {
    return `${((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)} s`
  }
}

function rowText({ name, done, of, note }: Row): string {
  const filled = Math.floor((Math.min(done, of) / of) * BAR)
  const counts = `${done.toLocaleString('en')} of ${of.toLocaleString('en')}`
  return `${name.padEnd(16)}${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}  ${counts.padEnd(14)}  ${note}`
}
