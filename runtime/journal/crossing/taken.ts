import { lengthWithId } from '../../../lib/envelope.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { encodeUnrun } from '../../../lib/homeward.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import { mayClaim, useRoom } from '../store/append.ts'
import { CLAIMED, WAITS } from './crossing.ts'
import { each } from '../store/each.ts'
import type { Ledger } from '../store/ledger.ts'
import type {
  DeliveredColumns,
  Settle,
  TakenAnswer,
  TakenAnswers,
  TakenColumns,
  TakenEnd,
  TakenJob,
  TakenVerdict,
  Unwant,
} from '../protocol.ts'
import { type LateRow, newRow } from './late-rows.ts'
import { rankOf, SUSPECT_RANK } from '../schema/schema.ts'
import { takenJobsOf } from './taken-columns.ts'
import type { Origin } from './taken-here.ts'

/** How long it is remembered what has become of a claim: longer than a broker needs to deliver it again. */
const REMEMBER_MS = 24 * 3_600_000

const DONE: TakenVerdict = { type: 'done' }

export interface Took {
  readonly answers: TakenAnswers
  readonly firstOrd: number
}

/**
 * Writes deliveries as jobs. A claim that is known is not written a second time: what has ended is answered from memory,
 * and what is here is here.
 */
export function takeJobs(ledger: Ledger, columns: TakenColumns, now: number): Took {
  const firstOrd = ledger.nextOrd
  const answers = each(
    ledger,
    takenJobsOf(columns),
    (job) => {
      const answer = take(ledger, job, now)
      // One for each, whatever became of it: the owner knows their order numbers by their index.
      ledger.nextOrd++
      return answer
    },
    (_, error): TakenAnswer => {
      ledger.nextOrd++
      return { type: 'failed', error: toErrorRecord(error) }
    },
  )
  return { answers: packed(answers), firstOrd }
}

function packed(answers: readonly TakenAnswer[]): TakenAnswers {
  const claimed = new Uint8Array(answers.length)
  const others = new Map<number, TakenAnswer>()
  answers.forEach((answer, at) => {
    if (answer === CLAIMED) claimed[at] = 1
    else if (answer !== WAITS) others.set(at, answer)
  })
  return { claimed, others }
}

function take(ledger: Ledger, job: TakenJob, now: number): TakenAnswer {
  const here = ledger.taken.numberOf(job.id)
  const known = here === undefined ? ended(ledger, job, now) : standing(ledger, job, here)
  if (known !== undefined) return known
  if (ledger.mayBeUnwanted === 'yes' && ledger.sql.isUnwanted.get(job.id, now, job.createdAt) !== undefined) {
    return { type: 'unwanted' }
  }
  const older = here === undefined ? undefined : remove(ledger, here)
  const claimed = write(ledger, job, now)
  if (here === undefined || older === undefined) return claimed
  return { ...claimed, instead: { number: here, was: older.state === stateCodes.running ? 'running' : 'waiting' } }
}

/** Of an older claim than this one there is nothing to say. */
function standing({ taken }: Ledger, job: TakenJob, number: number): TakenAnswer | undefined {
  const { claim } = taken.of(number) as Origin
  if (job.claim < claim) return { type: 'overtaken' }
  return job.claim === claim ? { type: 'here', number } : undefined
}

function ended({ sql }: Ledger, job: TakenJob, now: number): TakenAnswer | undefined {
  const known = sql.findTaken.get(job.id)
  if (known === undefined || job.claim > known.claim) return undefined
  if (job.claim < known.claim) return { type: 'overtaken' }
  // A memory that is over is none.
  if (known.until <= now) return undefined
  return { type: 'ended', verdict: known.verdict === null ? DONE : (JSON.parse(known.verdict) as TakenVerdict) }
}

function write(ledger: Ledger, job: TakenJob, now: number): Extract<TakenAnswer, { type: 'taken' }> {
  const { number, task, id, claim, input, part = null, expiresAt, reply } = job
  const origin: Origin = reply === undefined ? { id, claim } : { id, claim, reply }
  const rank = rankOf(job.priority) + (job.suspect === 'yes' ? SUSPECT_RANK : 0)
  const mayRun = job.suspect !== 'yes' && (expiresAt === undefined || expiresAt > now)
  const claimed = mayRun && mayClaim(ledger, task, rank)
  const ord = ledger.nextOrd
  const row: LateRow = { job, rank, ord, origin }
  ledger.taken.add(number, origin)
  if (claimed) {
    ledger.late.add(number, row)
    useRoom(ledger, task, input.length + lengthWithId(job), rank)
    return CLAIMED
  }
  ledger.sql.appendTaken.run(...newRow(row, ledger.tasks.idOf(task), 'waiting'))
  if (expiresAt !== undefined) ledger.timesChanged = 'yes'
  ledger.beginsToWait({ task, part, rank, ord })
  return WAITS
}

/** Plain successes; returns the numbers of those whose claim was no longer theirs. */
export function endDelivered(ledger: Ledger, { done, homes }: DeliveredColumns, now: number): number[] {
  const stale: number[] = []
  for (let at = 0; at < homes.length; at++) {
    const number = done[at * 2] as number
    const isLate = ledger.late.take(number) !== undefined
    if (!isLate && ledger.sql.finish.run(number, done[at * 2 + 1] as number).changes === 0) stale.push(number)
    else {
      if (ledger.regulator.holds) ledger.regulator.finished(number)
      conclude(ledger, ledger.taken.delete(number), DONE, now + REMEMBER_MS, homes[at] ?? undefined)
    }
  }
  return stale
}

/** The end of a claim that is one of its delivery too: its row goes, and how it has ended is remembered. */
export function endTaken(ledger: Ledger, settle: Settle, { verdict, remember, home }: TakenEnd, now: number) {
  const { number, claim } = settle
  if (ledger.late.take(number) === undefined) {
    if (ledger.sql.dropTaken.get(number, claim) === undefined) return 'stale'
    ledger.sql.forgetAttempts.run(number)
  }
  if (ledger.regulator.holds) ledger.regulator.ended(settle)
  conclude(ledger, ledger.taken.delete(number), verdict, remember === 'yes' ? now + REMEMBER_MS : undefined, home)
  ledger.timesChanged = 'yes'
  return 'settled'
}

/** Ends a taken job that waits. The broker is told that it is done with it, and who sent it what has become of it. */
export function endUnrun(ledger: Ledger, number: number, end: 'expire' | 'cancel-running', now: number): void {
  const origin = ledger.taken.of(number)
  const row = remove(ledger, number)
  if (origin === undefined || row === undefined) return
  const { id, claim } = origin
  const { attempt } = row
  const task = ledger.tasks.nameOf(ledger.tasks.indexOfId(row.task))
  conclude(ledger, origin, DONE, now + REMEMBER_MS, encodeUnrun({ id, task, claim, attempt }, end))
}

/** Its row has gone. `until`: how long it is remembered; not at all where undefined. */
function conclude(
  ledger: Ledger,
  origin: Origin | undefined,
  verdict: TakenVerdict,
  until: number | undefined,
  home: string | undefined,
): void {
  if (origin === undefined) return
  if (until !== undefined) {
    const remembered = verdict.type === 'done' ? null : JSON.stringify(verdict)
    ledger.sql.rememberTaken.run(origin.id, origin.claim, until, remembered)
  }
  if (home !== undefined && origin.reply !== undefined) ledger.homes.add(origin.reply, home)
}

/** Deletes the row of a taken job, and counts it no more. */
function remove(ledger: Ledger, number: number) {
  ledger.taken.delete(number)
  ledger.writeLate(number)
  const row = ledger.sql.removeTaken.get(number)
  if (row === undefined) return undefined
  ledger.sql.forgetAttempts.run(number)
  if (row.state === stateCodes.available) ledger.ceasesToWait({ ...row, task: ledger.tasks.indexOfId(row.task) })
  if (row.state === stateCodes.running && ledger.regulator.holds) ledger.regulator.finished(number)
  ledger.timesChanged = 'yes'
  return row
}

/**
 * With a new owner: what an earlier one had taken belongs to the broker, which delivers it again. Before anything is
 * recovered, since none of it may be available here as well.
 */
export function forgetTaken(ledger: Ledger): void {
  const { sql, regulator, tasks } = ledger
  for (const [task, part] of sql.forgottenRuns.all()) regulator.orphaned({ task: tasks.indexOfId(task), part })
  sql.forgetTakenAttempts.run()
  sql.forgetTakenJobs.run()
}

/** Jobs that shall not run here, by their public id; returns the numbers here of those that ended and of those that run. */
export function unwant(ledger: Ledger, { ids, sentBefore, until }: Unwant, now: number) {
  const ended: number[] = []
  const running: number[] = []
  ledger.mayBeUnwanted = 'yes'
  for (const id of ids) {
    ledger.sql.unwant.run(id, sentBefore, until)
    const number = ledger.taken.numberOf(id)
    if (number === undefined) continue
    // One that somebody has enqueued again since is another matter.
    if (ledger.sql.wasSentBefore.get(number, sentBefore) === undefined) continue
    if (ledger.sql.isWaiting.get(number) === undefined) running.push(number)
    else {
      endUnrun(ledger, number, 'cancel-running', now)
      ended.push(number)
    }
  }
  return { type: 'unwanted', ended, running } as const
}
