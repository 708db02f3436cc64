import type { Check } from './check.ts'
import type { Course } from './course.ts'
import type { Kill } from './kill.ts'
import type { Plan } from './plan.ts'
import type { Report } from './report.ts'
import { percentile, shownMs, table } from './table.ts'

/** Faults of one check that are printed; the rest is counted. */
const FAULTS_SHOWN = 5

export function introduction({ posts, users, deliveries, jobs }: Plan): string {
  const each = [...jobs].map(([name, count]) => `${count} × ${name}`).join(', ')
  return `${posts.length} photos for ${users.toLocaleString('en')} users, ${deliveries.toLocaleString('en')} deliveries: ${each}`
}

/** The tables at the end. */
export function summaryOf(plan: Plan, course: Course, report: Report): string {
  const reachedMs = course.posted.map(({ photo, sentAt }) => (report.lastFollowerAt[photo] ?? Number.NaN) - sentAt)
  const celebrityMs = reachedMs.filter((_, at) => course.posted[at]?.author === 1)
  const rows = [
    ['requests', requests(course)],
    ['  hand-off', latency(course.posted.map(({ durableMs }) => durableMs))],
    ...(course.kill === undefined ? [] : [['kill -9', interruption(course, course.kill, report)]]),
    ['to the last follower', latency(reachedMs)],
    ['  of the celebrity', `${celebrityMs.map(shownMs).join(' and ')} for ${plan.users.toLocaleString('en')} each`],
    ['from first to last', `${shownMs(course.allMs)}, ${perSecond(plan.deliveries, course.allMs)} deliveries/s`],
  ]
  return `${table(rows)}\n\n${jobsTable(report)}`
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
  const rate = perSecond(posted.length, postingMs - (kill?.downMs ?? 0))
  return `${posted.length}, ${rate}/s, ${latency(posted.map(({ tookMs }) => tookMs))}`
}

function interruption({ posted }: Course, { jobs, begun }: Kill, { already }: Report): string {
  const again = posted.filter(({ cut }) => cut > 0).length
  const known = posted.reduce((sum, post) => sum + post.known, 0)
  return (
    `${again} requests cut and sent again (${known} of their jobs were known), ${jobs} jobs recovered, ` +
    `${begun} had begun, ${already.toLocaleString('en')} deliveries found done`
  )
}

function jobsTable({ tasks }: Report): string {
  return table([
    ['jobs by task', 'place', 'succeeded', 'dead', 'retries'],
    ...tasks.map(({ task, place, succeeded, dead, retries }) => [task, place, succeeded, dead, retries]),
  ])
}

function latency(valuesMs: readonly number[]): string {
  return `p50 ${shownMs(percentile(valuesMs, 0.5))}, p99 ${shownMs(percentile(valuesMs, 0.99))}`
}

function perSecond(count: number, ms: number): string {
  return Math.round((count / ms) * 1_000).toLocaleString('en')
}
