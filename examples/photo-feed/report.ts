import type { JobFilter, JobRecord, Runtime, TaskSummary } from 'millrace'
import { deliver, share, thumbnail } from './tasks.ts'

/** What became of the jobs of one task. */
export interface TaskReport {
  readonly task: string
  readonly place: string
  succeeded: number
  dead: number
  /** Attempts beyond the first. */
  retries: number
}

/** What the journal tells when all is done. */
export interface Report {
  readonly tasks: readonly TaskReport[]
  /** By photo, epoch ms. */
  readonly lastFollowerAt: Readonly<Record<number, number>>
  /** Deliveries that a second run of a chunk found done. */
  readonly already: number
}

/** What a service finds in its journal as it starts. */
export interface Recovered {
  /** Jobs that have not ended. */
  readonly jobs: number
  /** Those of them that ran when the process before was killed. */
  readonly begun: number
}

/** How many jobs of a task are in which state. */
export type Stats = readonly TaskSummary[]

/** States that a job leaves again; 'away' are those that a broker has, or a worker. */
const UNFINISHED = ['running', 'available', 'scheduled', 'away'] as const

/** Where the jobs of each task run, also as a process sees it that does not run them. */
const PLACES = new Map([thumbnail, deliver, share].map(({ name, place }) => [name, place.name]))

/** How many jobs have an end before them. */
export function unfinished(stats: Stats): number {
  return UNFINISHED.reduce((sum, state) => sum + countIn(stats, state), 0)
}

export function countIn(stats: Stats, state: keyof TaskSummary['jobs']): number {
  return stats.reduce((sum, { jobs }) => sum + (jobs[state] ?? 0), 0)
}

/** What the journals of several processes tell together: each job is in one of them. */
export function merged(reports: readonly Report[]): Report {
  const tasks = new Map<string, TaskReport>()
  for (const { task, succeeded, dead, retries, place } of reports.flatMap((report) => report.tasks)) {
    const sum = tasks.get(task) ?? { task, place, succeeded: 0, dead: 0, retries: 0 }
    tasks.set(task, sum)
    sum.succeeded += succeeded
    sum.dead += dead
    sum.retries += retries
  }
  const lastFollowerAt: Record<number, number> = {}
  for (const [photo, at] of reports.flatMap((report) => Object.entries(report.lastFollowerAt)))
    lastFollowerAt[Number(photo)] = Math.max(lastFollowerAt[Number(photo)] ?? 0, at)
  const already = reports.reduce((sum, report) => sum + report.already, 0)
  return { tasks: [...tasks.values()], lastFollowerAt, already }
}

/** Reads every job that the journal has kept. */
export async function reportOf(runtime: Runtime): Promise<Report> {
  const tasks = new Map<string, TaskReport>()
  const lastFollowerAt: Record<number, number> = {}
  let already = 0
  for await (const job of everyJob(runtime)) {
    const report = tasks.get(job.task) ?? emptyReport(job)
    tasks.set(job.task, report)
    if (job.state === 'succeeded') report.succeeded++
    if (job.state === 'dead') report.dead++
    report.retries += Math.max(0, job.attempts - 1)
    if (job.task !== deliver.name || job.endedAt === undefined) continue
    const { photo } = job.input as { photo: number }
    lastFollowerAt[photo] = Math.max(lastFollowerAt[photo] ?? 0, job.endedAt)
    already += (job.output as { already: number }).already
  }
  return { tasks: [...tasks.values()], lastFollowerAt, already }
}

/** Asked at once after the start: a job that has ended since is not counted. */
export async function recoveredBy(runtime: Runtime): Promise<Recovered> {
  const recovered = { jobs: 0, begun: 0 }
  for await (const { crashes } of everyJob(runtime, { state: UNFINISHED })) {
    recovered.jobs++
    if (crashes > 0) recovered.begun++
  }
  return recovered
}

async function* everyJob(runtime: Runtime, filter: JobFilter = {}): AsyncGenerator<JobRecord> {
  for (let after: string | undefined; ; ) {
    const { jobs, next } = await runtime.jobs(filter, { limit: 200, ...(after !== undefined && { after }) })
    yield* jobs
    if (next === undefined) return
    after = next
  }
}

function emptyReport({ task, place = PLACES.get(task) ?? 'nowhere' }: JobRecord): TaskReport {
  return { task, place, succeeded: 0, dead: 0, retries: 0 }
}
