import { nextTurn } from '../../lib/clock.ts'
import { prepareReschedule, type RescheduleOptions } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import { stateCodes } from '../../lib/job-state.ts'
import { formatJobId } from '../../lib/job.ts'
import { invalidOption, refuseUnknown } from '../../lib/options.ts'
import { askDispatcher } from '../ask-dispatcher.ts'
import { type Answered, ask } from '../ask.ts'
import { cancelElsewhere } from '../control/cancel-elsewhere.ts'
import { stateOf } from '../journal/store/record.ts'
import { keysOfNewInput } from '../known-tasks.ts'
import { giveRoom, placeListener } from '../listeners.ts'
import type { ClaimedJob, Ended, InHand } from '../messages.ts'
import type { CancelOptions } from '../publish/job-handle.ts'
import { boundAt } from './reschedule-bound.ts'
import { released } from '../settle/decide.ts'
import type { Results } from '../settle/results.ts'
import type { Wires } from '../wires.ts'

/** Ends of one group, which is settled in one turn of the loop. */
const TOLD_AT_ONCE = 100

/** What somebody changes of one job. A claim may be on its way from the journal to its place in any of these moments. */

/**
 * The wish stands before anything else is asked: a claim that reaches its hand from now on does not start. So what has
 * not started is found in the journal, in a hand, in a slot, or by its wish; what has started is aborted.
 */
export async function cancelJob(
  wires: Wires,
  number: number,
  options: CancelOptions | undefined,
): Promise<'cancelled' | 'requested' | 'ended'> {
  const mode = modeOf(options)
  if (isTaken(wires, number)) return cancelTaken(wires, number, mode)
  return wishing(wires, number, async () => {
    return (await cancelUnbegun(wires, number)) ?? cancelWherever(wires, number, mode)
  })
}

/** The same of one that stands in no hand or has begun: of many jobs `cancelAllUnbegun` tells which do with one look. */
export async function cancelBegun(wires: Wires, number: number): Promise<'cancelled' | 'requested' | 'ended'> {
  if (isTaken(wires, number)) {
    wires.wishes.add(number)
    return abortTaken(wires, number, 'abort')
  }
  return wishing(wires, number, () => cancelWherever(wires, number, 'abort'))
}

/** Cancels those of the jobs that have not begun, after one look at each hand and slot. Resolves to them when that is committed. */
export async function cancelAllUnbegun(wires: Wires, numbers: ReadonlySet<number>): Promise<readonly number[]> {
  const removed = await takeAllBack(wires, numbers)
  const { ended } = placeListener(wires)
  for (const place of wires.places.keys()) {
    const jobs = removed.flatMap((each) => (each.place === place ? unstarted(each.job, { type: 'cancelled' }) : []))
    for (let at = 0; at < jobs.length; at += TOLD_AT_ONCE) ended(place, jobs.slice(at, at + TOLD_AT_ONCE))
  }
  if (removed.length > 0) await allWritten(wires)
  return removed.map(({ job }) => job.number)
}

async function wishing(
  { wishes, results }: Wires,
  number: number,
  cancel: () => Promise<'cancelled' | 'requested' | 'ended'>,
): Promise<'cancelled' | 'requested' | 'ended'> {
  const before = results.recent(number)
  wishes.add(number)
  try {
    const came = await cancel()
    if (came === 'requested') return came
    wishes.delete(number)
    return came === 'ended' && before === undefined ? cancelledOr(results, number, 'ended') : came
  } catch (error) {
    wishes.delete(number)
    throw error
  }
}

function isTaken({ across }: Wires, number: number): boolean {
  return across?.deliveries.has(number) === true
}

/** A delivery has no handle: how it ends is told to the node that has the job. */
async function cancelTaken(wires: Wires, number: number, mode: Mode): Promise<'cancelled' | 'requested'> {
  wires.wishes.add(number)
  const removed = await takeBack(wires, number)
  if (removed === undefined) return abortTaken(wires, number, mode)
  placeListener(wires).ended(removed.place, [unstarted(removed.job, { type: 'cancelled' })])
  return 'cancelled'
}

function abortTaken({ places }: Wires, number: number, mode: Mode): 'requested' {
  for (const place of places) place.cancel(number, mode)
  return 'requested'
}

async function cancelWherever(wires: Wires, number: number, mode: Mode) {
  const { places, results, announcer } = wires
  const asked = ask(wires, { type: 'cancel', number })
  const taken = places.map((place) => place.cancel(number, mode))
  const answered = await asked
  if (answered.type === 'cancelled') {
    announcer.cancelled([number], [answered.task])
    return 'cancelled'
  }
  if (answered.type !== 'requested') return 'ended'
  if (answered.state === stateCodes.away) {
    await cancelElsewhere(wires, [number])
    return 'requested'
  }
  if (taken.includes('aborted')) return 'requested'
  // Neither waiting nor running then: it was on its way to its hand, or its end on the way to the journal.
  const arrived = await cancelUnbegun(wires, number)
  if (arrived !== undefined) return arrived
  await written(wires, number)
  return cancelledOr(results, number, 'requested')
}

async function cancelUnbegun(wires: Wires, number: number): Promise<'cancelled' | 'requested' | undefined> {
  const removed = await takeBack(wires, number)
  if (removed === undefined) return undefined
  placeListener(wires).ended(removed.place, [unstarted(removed.job, { type: 'cancelled' })])
  return endOf(wires, number)
}

/** Of a job that was ended here right now: what its commit says, which may be another's. */
async function endOf({ results, journal }: Wires, number: number): Promise<'cancelled' | 'requested'> {
  await results.wait(number).promise.catch(() => {
    // How it ended is what is remembered of it.
  })
  const end = cancelledOr(results, number, 'requested')
  if (end === 'requested' && journal.end !== undefined) throw journal.end
  return end
}

function cancelledOr<T>(results: Results, number: number, otherwise: T): 'cancelled' | T {
  return results.recent(number)?.state === 'cancelled' ? 'cancelled' : otherwise
}

/** Resolves when an end of the job that a place or a hand has told is committed. */
async function written({ clock, journal, unsettled }: Wires, number: number): Promise<void> {
  while ([...unsettled].some(({ ended }) => ended.some(({ job }) => job.number === number))) await nextTurn(clock)
  await journal.barrier()
}

/** The same of all ends that have been told so far. */
async function allWritten({ clock, journal, unsettled }: Wires): Promise<void> {
  const told = [...unsettled]
  while (told.some((group) => unsettled.has(group))) await nextTurn(clock)
  await journal.barrier()
  if (journal.end !== undefined) throw journal.end
}

type Mode = NonNullable<CancelOptions['mode']>

function modeOf(options: CancelOptions = {}): Mode {
  refuseUnknown(options, ['mode'], '')
  const { mode = 'abort' } = options
  if (mode === 'abort' || mode === 'terminate') return mode
  throw invalidOption('mode', mode, "'abort' or 'terminate'")
}

export async function retryJob(wires: Wires, number: number): Promise<void> {
  const answered = await ask(wires, { type: 'revive', number })
  if (answered.type !== 'revived') throw refused(wires, answered, number, RETRYABLE)
  wires.results.reopened(number)
}

export async function rescheduleJob(wires: Wires, number: number, options: RescheduleOptions): Promise<void> {
  const asked = prepareReschedule(options, wires.clock.now())
  const change = {
    ...asked,
    ...(asked.input !== undefined && (await keysOfNewInput(wires, number, asked.input))),
    ...(await boundAt(wires, number, options, asked.dueAt)),
  }
  for (let look = 1; ; look++) {
    await release(wires, number)
    const answered = await ask(wires, { type: 'reschedule', number, ...change })
    if (answered.type === 'rescheduled') return
    const again = look === 1 && answered.type === 'wrong-state' && answered.state === stateCodes.running
    if (!again) throw refused(wires, answered, number, WAITING)
    // It was claimed while this was on its way: now it stands in its hand or its slot, unless it has begun.
    await nextTurn(wires.clock)
  }
}

/** A claimed job goes back to the journal in the same commit as what is asked next, so that nobody claims it before. */
async function release(wires: Wires, number: number): Promise<void> {
  const removed = await takeBack(wires, number)
  if (removed === undefined) return
  const ended = unstarted(removed.job, { type: 'interrupted', cause: 'recalled' })
  wires.journal.settle({ ended, settle: released(ended) })
  wires.suspensions.observe([ended])
  giveRoom(wires, removed.place, [ended])
}

export async function removeJob(wires: Wires, number: number): Promise<'removed' | 'absent'> {
  const answered = await ask(wires, { type: 'remove', number })
  if (answered.type === 'wrong-state') throw refused(wires, answered, number, IDLE)
  wires.results.removed([number])
  return answered.type === 'absent' ? 'absent' : 'removed'
}

/** Out of its hand or its slot: nothing that has begun. */
async function takeBack(wires: Wires, number: number): Promise<InHand | undefined> {
  const [removed] = await takeAllBack(wires, new Set([number]))
  return removed
}

function takeAllBack(wires: Wires, numbers: ReadonlySet<number>): Promise<readonly InHand[]> {
  return new Promise((answer) => askDispatcher(wires, { type: 'remove', numbers, answer }))
}

function unstarted(job: ClaimedJob, outcome: Ended['outcome']): Ended {
  return { job, outcome, startedAt: undefined, endedAt: undefined }
}

interface Wanted {
  readonly verb: string
  readonly expected: string
  readonly way: string
}

const RETRYABLE: Wanted = {
  verb: 'retry',
  expected: 'dead, cancelled, discarded or expired',
  way: 'let it end first, or reschedule() one that waits',
}
const WAITING: Wanted = {
  verb: 'reschedule',
  expected: 'a job that has not begun',
  way: 'cancel() one that runs, then retry() it; retry() one that has ended without success',
}
const IDLE: Wanted = { verb: 'remove', expected: 'a job that does not run', way: 'let it end, or cancel() it first' }

function refused(wires: Wires, answered: Answered, number: number, { verb, expected, way }: Wanted): MillraceError {
  const { journal } = wires
  const id = formatJobId(journal.name, number)
  switch (answered.type) {
    case 'absent':
      return new MillraceError(
        'MILLRACE_JOB_NOT_FOUND',
        `cannot ${verb} ${id}: it has no row; either it succeeded and its task keeps nothing, or it was never enqueued; ` +
          `expected ${expected}; enqueue another one`,
      )
    case 'key-taken':
      return new MillraceError(
        'MILLRACE_KEY_TAKEN',
        `${id} cannot be retried, since ${formatJobId(journal.name, answered.number)} has its key now; ` +
          'wait for that one, or cancel it first',
      )
    default: {
      const state = answered.type === 'wrong-state' ? stateOf(answered.state) : answered.type
      return new MillraceError(
        'MILLRACE_WRONG_STATE',
        `cannot ${verb} ${id}; got a job that is ${state}, expected ${expected}; ` +
          (state === 'succeeded' ? 'enqueue another one' : way),
      )
    }
  }
}
