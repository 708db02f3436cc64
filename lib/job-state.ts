/**
 * The states of a job and every way from one to another: one table of data, from which the journal builds its
 * guards (`WHERE state IN …`) and its CHECKs, the tests their model, and the docs their diagram.
 */

/** Stored as integers: a text state costs the hot row a comparison and five bytes. Numbers are never reused. */
export const stateCodes = {
  scheduled: 0,
  available: 1,
  running: 2,
  succeeded: 3,
  dead: 4,
  cancelled: 5,
  discarded: 6,
  expired: 7,
  away: 8,
} as const

export type JobState = keyof typeof stateCodes

export type StateCode = (typeof stateCodes)[JobState]

/** In the order of their codes. */
export const jobStates = Object.keys(stateCodes) as readonly JobState[]

/** States that a job leaves only when somebody asks for it, or when its retention is over. */
export const endedStates = ['succeeded', 'dead', 'cancelled', 'discarded', 'expired'] as const satisfies JobState[]

export type EndedState = (typeof endedStates)[number]

/** What happens to jobs: from which states, to which one. What is not listed cannot happen. */
export const transitions = {
  /** A delay is over. */
  due: { from: ['scheduled'], to: 'available' },
  /** The owner takes the right to run it once. */
  claim: { from: ['available'], to: 'running' },
  /** A claim is given back unused or interrupted: uncharged, at its old place in the order. */
  release: { from: ['running'], to: 'available' },
  succeed: { from: ['running'], to: 'succeeded' },
  /** An attempt failed and the policy has another one. */
  retry: { from: ['running'], to: 'scheduled' },
  /** The handler asked to come back later: uncharged. */
  snooze: { from: ['running'], to: 'scheduled' },
  die: { from: ['running'], to: 'dead' },
  discard: { from: ['running'], to: 'discarded' },
  /** Somebody's wish, of a job that has not started. */
  cancel: { from: ['scheduled', 'available'], to: 'cancelled' },
  /** Somebody's wish, that a running attempt has followed. */
  'cancel-running': { from: ['running'], to: 'cancelled' },
  /** `expiresAt` passed before the job could start. */
  expire: { from: ['scheduled', 'available', 'running'], to: 'expired' },
  /** `retry()` of a job that has ended without success. */
  revive: { from: ['dead', 'cancelled', 'discarded', 'expired'], to: 'available' },
  /** `reschedule()` to a later time, or of what waits for a later time. */
  postpone: { from: ['scheduled', 'available'], to: 'scheduled' },
  /** `reschedule()` to now. */
  hasten: { from: ['scheduled', 'available'], to: 'available' },
  /** A broker has confirmed it: the row is the receipt. */
  'hand-over': { from: ['running'], to: 'away' },
  /** Its outcome has come home, and is settled in the same commit. */
  'come-home': { from: ['away'], to: 'running' },
  /** No outcome has come home in time. */
  'give-up': { from: ['away'], to: 'dead' },
} as const satisfies Record<string, { readonly from: readonly JobState[]; readonly to: JobState }>

export type Transition = keyof typeof transitions

/** The codes of the states that a transition may start from. */
export function fromCodes(transition: Transition): readonly StateCode[] {
  return transitions[transition].from.map((state) => stateCodes[state])
}

/** The code of the state that a transition leads to. */
export function toCode(transition: Transition): StateCode {
  return stateCodes[transitions[transition].to]
}

export function isEnded(state: JobState): state is EndedState {
  return (endedStates as readonly JobState[]).includes(state)
}
