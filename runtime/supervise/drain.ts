import { MillraceError } from '../../lib/errors.ts'
import { invalidOption, refuseUnknown } from '../../lib/options.ts'
import { within } from '../../lib/within.ts'
import type { Across } from '../across.ts'
import type { Wires } from '../wires.ts'

export interface StopOptions {
  /** How long running jobs may go on. Default 10,000; Infinity waits for all of them. */
  readonly graceMs?: number
}

const GRACE_MS = 10_000

/** What the journal may take to write which jobs are stuck. */
const MARK_MS = 5_000

/** What the modules' hooks on the service's own loop get in any case, also when the grace is over. */
const TEAR_DOWN_MS = 20

export function graceOf(options: StopOptions): number {
  refuseUnknown(options, ['graceMs'], '')
  const { graceMs = GRACE_MS } = options
  if (typeof graceMs === 'number' && graceMs >= 0) return graceMs
  throw invalidOption('graceMs', graceMs, 'milliseconds, 0 or more')
}

/**
 * The first half of a stop: nothing new starts, running jobs get the grace, what is left is aborted and given back.
 * All places drain at once, so that the grace is over for all of them at the same time. Returns the numbers of jobs
 * whose thread has not exited: they stay running, marked, and are free and uncharged at the next start.
 * @internal
 */
export async function drain(wires: Wires, graceMs: number): Promise<readonly number[]> {
  const { router, places, journal, emit, across, clock } = wires
  router.tell({ type: 'close' })
  if (across !== undefined) leaveToOthers(wires, across)
  const stuck = (await Promise.all(places.map((place) => place.stop(graceMs)))).flat().map(({ number }) => number)
  journal.hurry()
  if (stuck.length > 0) {
    // Where the journal cannot write it they count as begun at the next start: that must not keep this one from ending.
    const marked = journal.request({ type: 'interrupted', numbers: stuck })
    await within(clock, MARK_MS, marked, () => {
      throw unmarked()
    }).catch((error: unknown) => emit.emit('runtime.error', { error: error as Error }))
  }
  return stuck
}

/** What is in hands need not wait for the end of the grace: another node can have it now. */
function leaveToOthers({ dispatch, places }: Wires, { tellIntake }: Across): void {
  tellIntake({ type: 'room' })
  for (const place of places.keys()) dispatch.tell({ type: 'place-stopped', place })
}

/**
 * The last half: what the tasks modules have set up on the service's own loop, in what is left of the grace.
 * @internal
 */
export async function tearDown({ handlers, clock, emit }: Wires, leftMs: number): Promise<void> {
  if (handlers === undefined) return
  try {
    await within(clock, Math.max(leftMs, TEAR_DOWN_MS), handlers.tearDown(), () => {
      throw tearDownLate()
    })
  } catch (error) {
    emit.emit('runtime.error', { error: error instanceof Error ? error : new Error(String(error)) })
  }
}

function unmarked(): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the journal has not said that it has written which jobs are stuck in their threads; expected it within ${MARK_MS} ms; ` +
      'they count as begun at the next start; look at its disk',
  )
}

function tearDownLate(): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    'the teardown of a tasks module has not ended when the grace was over; it is not waited for any more; ' +
      'expected it within the graceMs of stop; give that more, or let the teardown wait for less',
  )
}
