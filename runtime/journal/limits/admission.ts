import type { MaxWaiting } from '../../../lib/limits.ts'
import type { Routes } from '../protocol.ts'

interface Bound extends MaxWaiting {
  /** Whose waiting jobs it counts. */
  readonly tasks: readonly number[]
}

/** Who asks is told of no more room at once. */
const MOST_ROOM = 1_000_000

/** Turns new jobs away whose task or place has as many waiting as it may have. Exact, since the journal alone counts. */
export class Admission {
  readonly #waitingOf: (task: number) => number
  /** By task index: bounds of it, and of all that run in its place. */
  #bounds: readonly (readonly Bound[] | undefined)[] = []
  /** Tasks of which somebody waits to be let in. */
  #asked = new Set<number>()

  constructor(waitingOf: (task: number) => number) {
    this.#waitingOf = waitingOf
  }

  /** Routes without bounds are those of a stop, which lets nobody in. */
  route({ maxWaiting, places, placeOf, homeOf = placeOf }: Routes): void {
    if (maxWaiting === undefined) return
    // What is paused or suspended may not grow without end either, but it takes no room from what is not.
    const isHeldUp = (task: number) => placeOf[task] === -1
    this.#bounds = homeOf.map((place, task) => {
      const [ofTask, ofPlace] = [maxWaiting[task], places[place]?.maxWaiting]
      const bounds: Bound[] = []
      if (ofTask !== undefined) bounds.push({ ...ofTask, tasks: [task] })
      if (ofPlace !== undefined) bounds.push({ ...ofPlace, tasks: tasksOf(place, isHeldUp(task) ? homeOf : placeOf) })
      return bounds.length === 0 ? undefined : bounds
    })
  }

  bounds(task: number): boolean {
    return this.#bounds[task] !== undefined
  }

  /** What is to be done with another job that would wait. */
  of(task: number): 'admit' | MaxWaiting['beyond'] {
    const full = this.#bounds[task]?.find((bound) => this.#roomIn(bound) <= 0)
    if (full === undefined) return 'admit'
    if (full.beyond === 'wait') this.#asked.add(task)
    return full.beyond
  }

  /** Somebody waits to be let in. */
  ask(task: number): void {
    this.#asked.add(task)
  }

  /** Pairs of a task that has room again, and for how many: told once to who was turned away. */
  takeRoom(): number[] {
    if (this.#asked.size === 0) return NONE
    const room: number[] = []
    for (const task of this.#asked) {
      const jobs = Math.min(MOST_ROOM, ...(this.#bounds[task] ?? []).map((bound) => this.#roomIn(bound)))
      if (jobs <= 0) continue
      this.#asked.delete(task)
      room.push(task, jobs)
    }
    return room
  }

  /** For undoing what a rolled back transaction has told, or asked. */
  snapshot(): () => void {
    const asked = new Set(this.#asked)
    return () => {
      this.#asked = asked
    }
  }

  #roomIn({ limit, tasks }: Bound): number {
    let room = limit
    for (const task of tasks) room -= this.#waitingOf(task)
    return room
  }
}

const NONE: number[] = []

function tasksOf(place: number, placeOf: readonly number[]): number[] {
  return placeOf.flatMap((each, task) => (each === place ? task : []))
}
