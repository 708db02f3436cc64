import type { Plan } from './plan.ts'
import { type Stats, UNFINISHED } from './report.ts'

/** How many jobs have an end before them. */
export function unfinished(stats: Stats): number {
  return stats.reduce((sum, { jobs }) => sum + UNFINISHED.reduce((each, state) => each + (jobs[state] ?? 0), 0), 0)
}

/** Jobs that a place holds: they run, or are next. */
export function claimed(stats: Stats): number {
  return stats.reduce((sum, { jobs }) => sum + (jobs.running ?? 0), 0)
}

const LINE_EVERY_MS = 1_000

/** Tells how far things are: on a terminal in one line that changes, elsewhere in a line each second. */
export class Progress {
  readonly #plan: Plan
  readonly #startedAt = performance.now()
  #lineAt = Number.NEGATIVE_INFINITY

  constructor(plan: Plan) {
    this.#plan = plan
  }

  show(posted: number, stats: Stats | undefined): void {
    const now = performance.now()
    if (!process.stdout.isTTY && now - this.#lineAt < LINE_EVERY_MS) return
    this.#lineAt = now
    const jobs = stats === undefined ? 'the service is down' : this.#jobs(stats)
    this.#write(`posts ${posted}/${this.#plan.posts.length}  ${jobs}`)
  }

  /** Something that happens once and stays to be read. */
  tell(text: string): void {
    this.#write(text)
    if (process.stdout.isTTY) process.stdout.write('\n')
  }

  #jobs(stats: Stats): string {
    const ended = [...this.#plan.jobs].map(([name, expected]) => {
      const done = stats.find(({ task }) => task === name)?.jobs.succeeded ?? 0
      return `${name} ${done}/${expected}`
    })
    return [...ended, `unfinished ${unfinished(stats)}`].join('  ')
  }

  #write(text: string): void {
    const line = `${((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)} s  ${text}`
    process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }
}
