import type { Check } from './check.ts'
import type { Course, Kill } from './course.ts'
import type { ServiceKill } from './kill.ts'
import type { WorkerKill } from './kill-worker.ts'
import type { Options } from './options.ts'
import type { Plan } from './plan.ts'
import type { Report } from './report.ts'
import type { Runs } from './runs.ts'
import { WORKERS } from './settings.ts'
import { percentile, shownMs, table } from './table.ts'
import { CHUNK, NETWORKS, WIDTHS } from './tasks.ts'

/** Faults of one check that are printed; the rest is counted. */
const FAULTS_SHOWN = 5

/** Says what is going to happen to somebody who sees it for the first time. */
export function introduction({ posts, users, deliveries, jobs }: Plan, options: Options): string {
  const authors = new Set(posts.map(({ author }) => author)).size
  const total = [...jobs.values()].reduce((sum, count) => sum + count, 0)
  return [
    `${figure(authors)} authors post ${figure(posts.length)} photos to ${figure(users)} users; everybody follows the celebrity.`,
    `A post is answered when its jobs are on disk: ${WIDTHS.length} thumbnails, ${NETWORKS.length} cross-posts,`,
    `and the delivery to all followers, ${figure(CHUNK)} of them a job.`,
    `In all ${figure(total)} jobs and ${figure(deliveries)} deliveries.`,
    ...settingOf(options),
  ].join('\n')
}

function settingOf({ broker, kill }: Options): readonly string[] {
  const isKilled = kill === 'half-way'
  if (broker === undefined) return isKilled ? ['Half-way the service is killed with kill -9, and started again.'] : []
  return [
    'A web process takes the posts and runs no job; two workers do. Each has a journal, and all share a RabbitMQ.',
    ...(isKilled
      ? ['Half-way worker-1, which alone writes the feeds, is killed with kill -9, and started again.']
      : []),
  ]
}

function figure(value: number): string {
  return value.toLocaleString('en')
}

/** The tables at the end; `runs` are of workers, if there are any. */
export function summaryOf(plan: Plan, course: Course, report: Report, runs: Runs | undefined): string {
  const reachedMs = course.posted.map(({ photo, sentAt }) => (report.lastFollowerAt[photo] ?? Number.NaN) - sentAt)
  const celebrityMs = reachedMs.filter((_, at) => course.posted[at]?.author === 1)
  const rows = [
    ['requests', requests(course)],
    ['  their jobs on disk', latency(course.posted.map(({ durableMs }) => durableMs))],
    ...(course.kill === undefined ? [] : interruption(course, course.kill, report, runs)),
    ['to the last follower', latency(reachedMs)],
    ['  of the celebrity', `${celebrityMs.map(shownMs).join(' and ')} for ${figure(plan.users)} each`],
    ['from first to last', `${shownMs(course.allMs)}, ${perSecond(plan.deliveries, course.allMs)} deliveries/s`],
  ]
  return `${table(rows)}\n\n${jobsTable(report, runs)}`
}

export function checksText(checks: readonly Check[]): string {
  return checks
    .flatMap(({ what, faults }) => [
      `${faults.length === 0 ? 'ok     ' : 'FAILED '} ${what}`,
      ...faults.slice(0, FAULTS_SHOWN).map((fault) => `          ${fault}`),
      ...(faults.length > FAULTS_SHOWN ? [`          and ${faults.length - FAULTS_SHOWN} more`] : []),
    ])
    .join('\n')
}

function requests({ posted, postingMs, kill }: Course): string {
  const rate = perSecond(posted.length, postingMs - (kill?.type === 'service' ? kill.downMs : 0))
  return `${posted.length}, ${rate}/s, ${latency(posted.map(({ tookMs }) => tookMs))}`
}

function interruption(course: Course, kill: Kill, report: Report, runs: Runs | undefined): string[][] {
  const rows = kill.type === 'service' ? serviceKilled(kill) : workerKilled(kill, runs)
  const again = course.posted.filter(({ cut }) => cut > 0).length
  const known = course.posted.reduce((sum, post) => sum + post.known, 0)
  return [
    ...rows,
    ['  sent again', `${again} requests, of which ${known} jobs were there already`],
    ['  run again', `jobs that found ${figure(report.already)} deliveries done`],
  ]
}

function serviceKilled({ downMs, jobs, begun }: ServiceKill): string[][] {
  return [['kill -9', `down for ${shownMs(downMs)}; ${figure(jobs)} jobs recovered, ${begun} of them had begun`]]
}

function workerKilled({ running, killedAt, downMs }: WorkerKill, runs: Runs | undefined): string[][] {
  const begunBy = (worker: string) => {
    const afterMs = (runs?.again ?? []).filter((rerun) => rerun.worker === worker).map(({ at }) => at - killedAt)
    return [`  begun by ${worker}`, afterMs.length === 0 ? 'none' : `${afterMs.length}, after ${latency(afterMs)}`]
  }
  return [
    ['kill -9 of worker-1', `down for ${shownMs(downMs)}; ${running.length} jobs ran there`],
    ...WORKERS.map(begunBy),
  ]
}

function jobsTable({ tasks }: Report, runs: Runs | undefined): string {
  return table([
    [
      'jobs by task',
      'place',
      'succeeded',
      'dead',
      'retries',
      ...(runs === undefined ? [] : [...WORKERS.map((worker) => `by ${worker}`), 'done twice']),
    ],
    ...tasks.map(({ task, place, succeeded, dead, retries }) => {
      const of = runs?.byTask.get(task)
      return [task, place, succeeded, dead, retries, ...(of === undefined ? [] : [...of.succeeded, of.twice])]
    }),
  ])
}

function latency(valuesMs: readonly number[]): string {
  return `p50 ${shownMs(percentile(valuesMs, 0.5))}, p99 ${shownMs(percentile(valuesMs, 0.99))}`
}

function perSecond(count: number, ms: number): string {
  return Math.round((count / ms) * 1_000).toLocaleString('en')
}
