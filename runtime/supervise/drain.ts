import type { Wires } from '../wires.ts'

/**
 * The first half of a stop: nothing new starts, running jobs get the grace, what is left is aborted and given back.
 * All places drain at once, so that the grace is over for all of them at the same time. Returns the numbers of jobs
 * whose thread has not exited: they stay running, marked, and are free and uncharged at the next start.
 */
export async function drain(wires: Wires, graceMs: number): Promise<readonly number[]> {
  const { router, places, journal } = wires
  router.tell({ type: 'close' })
  const stuck = (await Promise.all(places.map((place) => place.stop(graceMs)))).flat().map(({ number }) => number)
  if (stuck.length > 0) await journal.request({ type: 'interrupted', numbers: stuck })
  return stuck
}
