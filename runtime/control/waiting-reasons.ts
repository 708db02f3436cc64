import type { Ahead, Reason } from '../../lib/explanation.ts'
import { MOST_BEFORE, type WhyWaiting } from '../journal/limits/why-waiting.ts'
import type { PlaceReport } from '../messages.ts'
import type { Wires } from '../wires.ts'
import { statusOf } from './places.ts'

/** A job that waits in the journal, as every reason is asked about it. */
export interface WaitingJob {
  readonly wires: Wires
  readonly task: string
  /** Index of the place where its task runs, or would; -1 for a task that nobody here handles. */
  readonly place: number
  readonly crashes: number
  /** As far as the journal knows. */
  readonly waits: WhyWaiting
}

type Question = (job: WaitingJob) => Reason | undefined

const goingOut: Question = ({ waits }) =>
  waits.type === 'outbound' ? { type: 'going-out', ahead: aheadOf(waits.jobs) } : undefined

const unknownTask: Question = ({ task, place }) => (place < 0 ? { type: 'unknown-task', task } : undefined)

const placeStopped: Question = ({ wires, place }) => {
  const status = statusOf(wires, place)
  return status.type === 'stopped'
    ? { type: 'place-stopped', place: nameOf(wires, place), error: status.error }
    : undefined
}

const draining: Question = ({ wires }) => (wires.stopping === 'asked' ? { type: 'draining' } : undefined)

const placePaused: Question = ({ wires, place }) =>
  wires.paused.has(place) || wires.pauses.holdsPlace(place)
    ? { type: 'place-paused', place: nameOf(wires, place) }
    : undefined

const taskPaused: Question = ({ wires, task }) =>
  wires.pauses.holdsTask(task) ? { type: 'task-paused', task } : undefined

const taskSuspended: Question = ({ wires, task }) => {
  const suspension = wires.suspensions.of(wires.journal.taskIndex(task) ?? -1)
  return suspension && { type: 'task-suspended', task, ...suspension }
}

const suspect: Question = ({ waits, crashes }) => (waits.type === 'suspect' ? { type: 'suspect', crashes } : undefined)

const limit: Question = ({ waits }) =>
  waits.type === 'concurrency' || waits.type === 'rate' || waits.type === 'fair-turn' ? waits : undefined

/** In the order in which they keep a job from running: what comes first has to go first. */
const questions: readonly Question[] = [
  goingOut,
  unknownTask,
  placeStopped,
  draining,
  placePaused,
  taskPaused,
  taskSuspended,
  suspect,
  limit,
]

/** What keeps a waiting job from running; if nothing else does, the jobs before it. */
export function whyItWaits(job: WaitingJob, report: PlaceReport | undefined): Reason {
  for (const question of questions) {
    const reason = question(job)
    if (reason !== undefined) return reason
  }
  const { wires, place, waits } = job
  return {
    type: 'behind',
    place: nameOf(wires, place),
    ahead: aheadOf(waits.type === 'behind' ? waits.jobs : 0),
    inHand: wires.dispatcher.hand(place).size,
    running: (report?.threads ?? []).reduce((sum, { running }) => sum + running, 0),
  }
}

function aheadOf(jobs: number): Ahead {
  return { jobs: Math.min(jobs, MOST_BEFORE), counted: jobs > MOST_BEFORE ? 'at-least' : 'all' }
}

function nameOf({ config }: Wires, place: number): string {
  return config.places[place]?.name ?? ''
}
