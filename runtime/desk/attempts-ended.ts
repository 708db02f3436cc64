import type { ClaimedJob } from '../messages.ts'
import type { Wires } from '../wires.ts'

const LOOK_MS = 50

/**
 * Resolves when every attempt that is under way now has ended and is written. A child that is not there then was dropped
 * with its parent's failure: whoever knew its number had it from an attempt.
 */
export async function attemptsEnded(wires: Wires): Promise<void> {
  const { clock, journal } = wires
  const before = new Set([...underWay(wires)].map(nameOf))
  while (journal.end === undefined && [...underWay(wires)].some((job) => before.has(nameOf(job)))) {
    await new Promise<void>((resolve) => clock.setTimer(LOOK_MS, resolve).unref())
  }
  await journal.barrier()
}

function* underWay({ places, leftBehind, unsettled, journal }: Wires): Generator<ClaimedJob> {
  for (const place of [...places, ...leftBehind]) yield* place.claims()
  for (const { ended } of unsettled) for (const { job } of ended) yield job
  yield* journal.unsettled()
}

function nameOf({ number, claim }: ClaimedJob): string {
  return `${number} ${claim}`
}
