import type { PlaceStatus, PlaceSummary, ThreadSummary } from '../../lib/places.ts'
import type { Place, ThreadReport } from '../messages.ts'
import type { Wires } from '../wires.ts'
import { runningJob } from './running-job.ts'

/** Every place that tasks run in, as it is now: one question to the journal, and one look at each thread. */
export async function placesOf(wires: Wires): Promise<PlaceSummary[]> {
  const waiting = await wires.journal.query((queries) => queries.waitingByTask())
  const places = wires.places.slice(0, wires.config.places.length)
  return Promise.all(places.map((place, index) => summaryOf(wires, place, index, waiting)))
}

async function summaryOf(wires: Wires, place: Place, index: number, waiting: readonly number[]): Promise<PlaceSummary> {
  const { threads, zombies, restarts } = await place.report()
  return {
    place: place.name,
    kind: place.kind,
    status: statusOf(wires, index),
    threads: threads.map((thread) => threadOf(wires, thread)),
    running: sumOf(threads, 'running'),
    offered: sumOf(threads, 'offered'),
    inHand: wires.dispatcher.hand(index).size,
    waiting: waiting.reduce((sum, jobs, task) => sum + (wires.catalog.homeOf(task) === index ? jobs : 0), 0),
    suspended: wires.suspensions
      .all()
      .filter((task) => wires.catalog.homeOf(task) === index)
      .map((task) => wires.catalog.name(task)),
    zombies,
    restarts,
  }
}

export function statusOf({ stopped, paused, pauses, stopping }: Wires, place: number): PlaceStatus {
  const error = stopped.get(place)
  if (error !== undefined) return { type: 'stopped', error }
  if (stopping === 'asked') return { type: 'draining' }
  return paused.has(place) || pauses.holdsPlace(place) ? { type: 'paused' } : { type: 'running' }
}

function threadOf(wires: Wires, { oldest, since, ...report }: ThreadReport): ThreadSummary {
  const { clock } = wires
  return {
    ...report,
    sinceAt: Math.round(clock.now() - (clock.monotonicMs() - since)),
    job: oldest === undefined ? undefined : runningJob(wires, oldest),
  }
}

function sumOf(threads: readonly ThreadReport[], what: 'running' | 'offered'): number {
  return threads.reduce((sum, thread) => sum + thread[what], 0)
}
