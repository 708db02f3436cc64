import { type ClaimedJob, type ClaimName, isSuspect } from './messages.ts'
import { placeOfClaim } from './place-of.ts'
import type { Wires } from './wires.ts'

/** A claim that takes up room of a place. */
export interface Occupant {
  readonly place: number
  readonly job: ClaimedJob
}

/**
 * Every claim that takes up room: on its way to a place, in its hand, or in its slots, also where it hangs in a place that
 * was started anew since. A trial takes none.
 */
export function* occupants(wires: Wires): Generator<Occupant> {
  for (const occupant of placed(wires)) if (!isSuspect(occupant.job)) yield occupant
}

function* placed(wires: Wires): Generator<Occupant> {
  const { dispatcher, undispatched, places, leftBehind } = wires
  for (const [jobs, from] of undispatched) {
    for (const job of jobs) {
      const place = from ?? placeOfClaim(wires, job)
      if (place >= 0) yield { place, job }
    }
  }
  yield* dispatcher.occupants()
  for (const [at, place] of places.entries()) for (const job of place.claims()) yield { place: at, job }
  for (const old of leftBehind) {
    const place = places.findIndex(({ name }) => name === old.name)
    for (const job of old.claims()) yield { place, job }
  }
}

/** Every claim that anything in this process holds: also what has given its room back, and is not settled yet or never. */
export function* heldBy({
  dispatcher,
  undispatched,
  places,
  leftBehind,
  unsettled,
  unwritten,
  journal,
}: Wires): Generator<ClaimName> {
  for (const jobs of undispatched.keys()) yield* jobs
  yield* dispatcher.jobs()
  for (const place of [...places, ...leftBehind]) yield* place.claims()
  for (const { ended } of unsettled) for (const { job } of ended) yield job
  yield* journal.unsettled()
  yield* unwritten
}
