import type { ClaimedJob } from './messages.ts'
import type { Wires } from './wires.ts'

/** Every claim that anything in this process holds: on its way, in a hand, in a place, or not settled yet. */
export function* heldBy({ dispatcher, undispatched, places, unsettled, journal }: Wires): Generator<ClaimedJob> {
  for (const jobs of undispatched) yield* jobs
  yield* dispatcher.jobs()
  for (const place of places) yield* place.claims()
  for (const { ended } of unsettled) for (const { job } of ended) yield job
  yield* journal.unsettled()
}
