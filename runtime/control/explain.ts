import { type Explanation, type Reason, sentenceOf } from '../../lib/explanation.ts'
import { type EndedState, isEnded } from '../../lib/job-state.ts'
import type { AttemptRecord } from '../../lib/job.ts'
import { type StoredJob, stateOf } from '../journal/store/record.ts'
import { SUSPECT_CRASHES } from '../journal/schema/schema.ts'
import type { StoredStanding } from '../journal/queries/standing.ts'
import { heldBy } from '../held.ts'
import type { ClaimedJob, ClaimName, Found, PlaceReport, ThreadReport } from '../messages.ts'
import type { Wires } from '../wires.ts'
import { runningJob } from './running-job.ts'
import { whyItWaits } from './waiting-reasons.ts'

/** Between two looks a job may go from one hand into another. */
const LOOKS = 3

/** Why a job waits, or what it does: from the journal what is written, from memory what is under way. */
export async function explain(wires: Wires, id: string): Promise<Explanation> {
  const number = wires.desk.numberOf(id)
  let standing: StoredStanding
  let reason: Reason
  let looks = 0
  do {
    standing = await wires.journal.query((queries) => queries.standing(number))
    reason = await reasonOf(wires, standing)
  } while (reason.type === 'on-its-way' && ++looks < LOOKS)
  const { row } = standing
  return {
    id: row === undefined ? id : wires.desk.idOf(row.id),
    task: row?.task,
    state: row === undefined ? undefined : stateOf(row.state),
    reason,
    text: sentenceOf(reason),
  }
}

async function reasonOf(wires: Wires, standing: StoredStanding): Promise<Reason> {
  const { row, inbox } = standing
  if (row === undefined) return { type: inbox === 'has-it' ? 'in-inbox' : 'not-found' }
  const inPlace = await whereInPlace(wires, standing, row.id)
  if (inPlace !== undefined) return inPlace
  const inHand = whereInHand(wires, row.id)
  if (inHand !== undefined) return wires.stopping === 'asked' ? { type: 'draining' } : inHand
  const state = stateOf(row.state)
  if (isEnded(state)) return ended(row, state)
  if (state === 'scheduled') return scheduled(row)
  if (state === 'away') return { type: 'away' }
  // One on trial may wait for its process.
  if (state === 'running' && row.crashes >= SUSPECT_CRASHES) return { type: 'suspect', crashes: row.crashes }
  if (isAmong(wires.unwritten, row.id)) return { type: 'not-written' }
  // Held by something, or by nothing any more: the settle or the claim that makes the difference is under way.
  if (state === 'running' || isAmong(heldBy(wires), row.id)) return { type: 'on-its-way' }
  return waiting(wires, standing, row)
}

function ended(row: StoredJob, state: EndedState): Reason {
  const last = lastAttempt(row)
  return {
    type: 'ended',
    state,
    endedAt: row.ended_at as number,
    attempts: row.attempt,
    ...((state === 'dead' || state === 'expired') && last?.error !== undefined && { error: last.error }),
    // What was discarded before may have ended otherwise since.
    ...(state === 'discarded' && last?.reason !== undefined && { why: last.reason }),
  }
}

function scheduled(row: StoredJob): Reason {
  const dueAt = row.due_at as number
  const last = lastAttempt(row)
  if (last?.claim === row.claim && last.type === 'snoozed') return { type: 'snoozed', dueAt }
  if (row.attempt === 0) return { type: 'delayed', dueAt }
  return { type: 'retry', dueAt, attempts: row.attempt, ...(last?.error !== undefined && { error: last.error }) }
}

async function waiting(wires: Wires, { waits }: StoredStanding, row: StoredJob): Promise<Reason> {
  const place = wires.catalog.homeOf(wires.journal.taskIndex(row.task) ?? -1)
  const report = await wires.places[place]?.report()
  return whyItWaits({ wires, task: row.task, place, crashes: row.crashes, waits }, report)
}

async function whereInPlace(wires: Wires, standing: StoredStanding, number: number): Promise<Reason | undefined> {
  for (const place of wires.places) {
    const found = place.find(number)
    if (found === undefined) continue
    if (found.type === 'done') return { type: 'on-its-way' }
    const thread = threadOf(await place.report(), found, number)
    if (thread === undefined) return { type: 'on-its-way' }
    const { verdict } = thread
    const at = { place: place.name, thread: found.thread, verdict }
    if (found.type === 'offered') {
      return { type: 'offered', ...at, behind: found.behind && runningJob(wires, found.behind) }
    }
    const runningMs = wires.clock.monotonicMs() - found.startedAt
    if (found.type === 'given-up') return { type: 'given-up', ...at, runningMs }
    const isUnwanted = standing.wish === 'cancel' || wires.wishes.has(number)
    return { type: isUnwanted ? 'cancel-requested' : 'running', ...at, runningMs }
  }
  return undefined
}

/** A thread that was given up has the number of its successor: the one with the job is meant. */
function threadOf(
  { threads }: PlaceReport,
  { thread }: Exclude<Found, { type: 'done' }>,
  number: number,
): ThreadReport | undefined {
  const here = threads.filter((each) => each.thread === thread)
  return here.find(({ oldest }) => oldest?.number === number) ?? here[0]
}

function whereInHand(wires: Wires, number: number): Reason | undefined {
  for (const [place, { name }] of wires.places.entries()) {
    const hand = [...wires.dispatcher.hand(place)]
    const job = hand.find((each) => each.number === number)
    if (job === undefined) continue
    const running = wires.places[place]?.claims().length ?? 0
    return { type: 'in-hand', place: name, ahead: hand.filter(isBefore(job)).length, running }
  }
  return undefined
}

function isBefore({ rank, ord }: ClaimedJob): (other: ClaimedJob) => boolean {
  return (other) => other.rank < rank || (other.rank === rank && other.ord < ord)
}

function isAmong(claims: Iterable<ClaimName>, number: number): boolean {
  for (const claim of claims) if (claim.number === number) return true
  return false
}

function lastAttempt(row: StoredJob): AttemptRecord | undefined {
  const last = row.attempts.at(-1)
  return last === undefined ? undefined : (JSON.parse(last) as AttemptRecord)
}
