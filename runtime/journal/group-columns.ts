import { type JobExtra, weightOf } from '../../lib/job.ts'
import type { Ended } from '../messages.ts'
import type { DeliveredColumns, Group, JobColumns, RowSettle, Settle, TakenColumns } from './protocol.ts'

/** A job as it is appended. */
export interface AppendedJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra | null
}

/** Arrays cross to the journal's thread at a fraction of what objects cost. */
export function columnsOf(jobs: readonly AppendedJob[]): JobColumns {
  const numbers = new Array<number>(jobs.length)
  const tasks = new Array<number>(jobs.length)
  const inputs = new Array<string>(jobs.length)
  let extras: (JobExtra | null)[] | null = null
  for (let at = 0; at < jobs.length; at++) {
    const job = jobs[at] as AppendedJob
    numbers[at] = job.number
    tasks[at] = job.task
    inputs[at] = job.input
    if (job.extra !== null) {
      extras ??= new Array<JobExtra | null>(jobs.length).fill(null)
      extras[at] = job.extra
    }
  }
  return { numbers, tasks, inputs, extras }
}

/** What nearly all jobs come to that cross machines is told as columns, apart from all other settles. */
export function splitSettles(
  all: readonly { readonly settle: Settle }[],
): Pick<Group, 'settles' | 'delivered' | 'handedOver'> {
  const settles: RowSettle[] = []
  const done: number[] = []
  const homes: (string | null)[] = []
  const handedOver: number[] = []
  for (const { settle } of all) {
    if (isPlainDelivery(settle)) {
      done.push(settle.number, settle.claim)
      homes.push(settle.taken?.home ?? null)
    } else if (isOfRow(settle)) settles.push(settle)
    else handedOver.push(settle.number, settle.claim, settle.keepUntil as number)
  }
  const delivered: DeliveredColumns = { done: Float64Array.from(done), homes }
  return {
    settles,
    ...(homes.length > 0 && { delivered }),
    ...(handedOver.length > 0 && { handedOver: Float64Array.from(handedOver) }),
  }
}

function isOfRow(settle: Settle): settle is RowSettle {
  return settle.transition !== 'hand-over'
}

function isPlainDelivery({ transition, row, taken, children, startedAt }: Settle): boolean {
  const isPlain = transition === 'succeed' && row === 'drop' && children === undefined && startedAt === undefined
  return isPlain && taken?.verdict.type === 'done' && taken.remember === 'yes'
}

export function pairsOf(finished: readonly Ended[]): Float64Array {
  const pairs = new Float64Array(finished.length * 2)
  for (let at = 0; at < finished.length; at++) {
    const { number, claim } = (finished[at] as Ended).job
    pairs[at * 2] = number
    pairs[at * 2 + 1] = claim
  }
  return pairs
}

/** What bounds a transaction: the jobs that a group begins or ends, and what those weigh that are new. */
export function groupSize(group: Group): { jobs: number; bytes: number } {
  const added = (group.jobs?.numbers.length ?? 0) + (group.taken?.ids.length ?? 0)
  const ended = group.settles.length + (group.delivered?.homes.length ?? 0) + (group.done?.length ?? 0) / 2
  return { jobs: added + ended, bytes: bytesOf(group.jobs) + bytesOf(group.taken) }
}

function bytesOf(columns: Pick<JobColumns | TakenColumns, 'inputs' | 'extras'> | undefined): number {
  if (columns === undefined) return 0
  const { inputs, extras } = columns
  let bytes = 0
  for (let at = 0; at < inputs.length; at++) {
    bytes += weightOf({ input: inputs[at] as string, extra: extras?.[at] ?? null })
  }
  return bytes
}
