import type { Behavior } from '../../lib/actor.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { Catalog } from '../catalog.ts'
import type { Answer, Request, Routes } from '../journal/protocol.ts'
import type { ClaimedJob, Place, RouterMessage } from '../messages.ts'

export interface RouterJournal {
  readonly taskNames: readonly string[]
  taskIndex(name: string): number | undefined
  learn(names: readonly string[]): Promise<void>
  route(routes: Routes): void
  request(request: Request): Promise<Answer>
  barrier(): Promise<void>
  giveRoom(place: number, jobs: number, bytes: number): void
}

export interface RouterOptions {
  readonly catalog: Catalog
  readonly journal: RouterJournal
  readonly places: readonly Place[]
  /** Places, by index, that are given no room. */
  readonly paused: ReadonlySet<number>
  /** Places, by index, that have given up: their tasks are parked. */
  readonly stopped: ReadonlyMap<number, Error>
  /** Every claim that anything in this process still holds. */
  held(): Iterable<ClaimedJob>
  /** A task that nobody here handles has jobs, or may have. */
  unknown(task: string): void
}

const NO_ROOM = { jobs: 0, bytes: 0 }

/**
 * Tells the journal where tasks run and how much room there is: at the start, when a place has stopped, and after either
 * side has lost its memory. Room starts anew each time, so what is held is counted first, and what nobody holds goes back.
 */
export class Router implements Behavior<RouterMessage> {
  readonly #options: RouterOptions
  #status: 'open' | 'closed' = 'open'

  constructor(options: RouterOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { places, catalog, journal } = this.#options
    const found = await Promise.allSettled(places.map((place) => place.ready))
    for (const result of found) if (result.status === 'fulfilled') catalog.add(result.value)
    this.#refuseNone(found)
    await journal.learn(catalog.handled.map(({ name }) => name))
    this.#bind(journal.taskNames)
    await this.#reroute()
  }

  receive(message: RouterMessage): void | Promise<void> {
    switch (message.type) {
      case 'learned':
        return this.#bind(message.names)
      case 'place-stopped':
        this.#bind(this.#options.journal.taskNames)
        return this.#reroute()
      case 'reroute':
        return this.#reroute()
      case 'close':
        this.#status = 'closed'
        return this.#options.journal.route({ places: [], placeOf: [] })
    }
  }

  /** With no room for a moment no claim is under way, so that what is held can be told exactly. */
  async #reroute(): Promise<void> {
    if (this.#status === 'closed') return
    const { journal, catalog, places, paused } = this.#options
    const placeOf = [...catalog.places]
    journal.route({ places: places.map(({ name }) => ({ name, capacity: NO_ROOM })), placeOf })
    await journal.barrier()
    const held = [...this.#options.held()]
    const reconciled = journal.request({ type: 'reconcile', held: new Map(held.map((job) => [job.number, job.claim])) })
    await reconciled
    const capacityOf = ({ capacity }: Place, place: number) => (paused.has(place) ? NO_ROOM : capacity)
    journal.route({
      places: places.map((place, at) => ({ name: place.name, capacity: capacityOf(place, at) })),
      placeOf,
    })
    for (const { task, input } of held) journal.giveRoom(catalog.placeOf(task), -1, -input.length)
    await journal.barrier()
  }

  #bind(names: readonly string[]): void {
    const { catalog, journal } = this.#options
    for (const name of names) {
      const manifest = catalog.manifest(name)
      const place = manifest === undefined ? -1 : this.#placeOf(manifest)
      catalog.bind(journal.taskIndex(name) as number, name, this.#options.stopped.has(place) ? -1 : place)
      if (manifest === undefined) this.#options.unknown(name)
    }
  }

  #placeOf({ name, place: wanted }: TaskManifest): number {
    const { places } = this.#options
    const place = places.findIndex((each) => each.name === wanted.name && each.kind === wanted.type)
    if (place >= 0) return place
    const existing = places.filter((each) => each.kind === wanted.type).map((each) => each.name)
    throw new MillraceError(
      'MILLRACE_UNKNOWN_PLACE',
      `the task ${name} wants the ${wanted.type} ${wanted.name}; got ${existing.join(', ') || 'none'}, expected it among ` +
        `them; add ${wanted.type}s.${wanted.name} to the options of the runtime, or change the task`,
      { path: `${wanted.type}s.${wanted.name}` },
    )
  }

  /** A runtime of which no place can start has nothing to go on with. */
  #refuseNone(found: readonly PromiseSettledResult<readonly TaskManifest[]>[]): void {
    const causes = found.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    if (causes.length > 0 && causes.length === found.length) throw causes[0]
  }
}
