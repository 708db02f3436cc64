import type { Json } from '../../lib/json.ts'
import { invalidOption } from '../../lib/options.ts'
import type { PlaceStatus } from '../../lib/places.ts'
import type { Wires } from '../wires.ts'
import { placesOf } from './places.ts'

/** A tier or lane of a node, as others see it; its own `places()` says more. */
export interface NodePlace {
  readonly place: string
  readonly kind: 'tier' | 'lane'
  readonly status: PlaceStatus['type']
  readonly threads: number
  /** Jobs that run. */
  readonly running: number
  /** Jobs that it has taken and that have not begun. */
  readonly held: number
  /** Jobs of its tasks that wait in the journal of the node. */
  readonly waiting: number
  readonly zombies: number
  readonly restarts: number
}

/** @internal */
export async function nodePlacesOf(wires: Wires): Promise<readonly NodePlace[]> {
  const places = await placesOf(wires)
  return places.map(({ place, kind, status, threads, running, offered, inHand, waiting, zombies, restarts }) => ({
    place,
    kind,
    status: status.type,
    threads: threads.length,
    running,
    held: offered + inHand,
    waiting,
    zombies,
    restarts,
  }))
}

const KINDS = ['tier', 'lane']
const STATUSES: readonly PlaceStatus['type'][] = ['running', 'paused', 'stopped', 'draining']
const COUNTS = ['threads', 'running', 'held', 'waiting', 'zombies', 'restarts'] as const

/** What another node says of its places; throws where it says something else. */
export function readNodePlaces(answer: Json): readonly NodePlace[] {
  if (!Array.isArray(answer)) throw invalidOption('answer', answer, 'a list of places')
  return answer.map((entry: unknown, at) => {
    const place = (entry ?? {}) as NodePlace
    const isPlace =
      typeof place.place === 'string' &&
      KINDS.includes(place.kind) &&
      STATUSES.includes(place.status) &&
      COUNTS.every((count) => Number.isSafeInteger(place[count]))
    if (!isPlace) throw invalidOption(`answer[${at}]`, entry, 'a place')
    return place
  })
}
