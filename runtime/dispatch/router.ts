import type { Behavior } from '../../lib/actor.ts'
import { MillraceError } from '../../lib/errors.ts'
import { weightOf } from '../../lib/job.ts'
import type { TaskManifest, TaskPlace } from '../../lib/task.ts'
import type { Catalog } from '../catalog.ts'
import type { Answer, PlaceRoute, Request, Routes } from '../journal/protocol.ts'
import type { ClaimedJob, ClaimName, Place, RouterMessage } from '../messages.ts'

export interface RouterJournal {
  readonly taskNames: readonly string[]
  taskIndex(name: string): number | undefined
  learn(names: readonly string[], patience: 'some'): Promise<void>
  route(routes: Routes): void
  request(request: Request): Promise<Answer>
  barrier(): Promise<void>
  giveRoom(place: number, jobs: number, bytes: number): void
}

export interface RouterOptions {
  readonly catalog: Catalog
  readonly journal: RouterJournal
  readonly places: readonly Place[]
  /** Where jobs go that are not local; absent without a broker. */
  readonly outbound?: OutboundOptions
  /** Places, by index, that are given no room. */
  readonly paused: ReadonlySet<number>
  /** What is told of each place besides its size, by index. */
  readonly rules: readonly Pick<PlaceRoute, 'retryEvery' | 'maxWaiting'>[]
  /** Whether a task, by index, is parked although it has a place. */
  isPaused(task: number): boolean
  /** Places, by index, that have given up: their tasks are parked. */
  readonly stopped: ReadonlyMap<number, Error>
  /** Every claim that anything in this process still holds. */
  held(): Iterable<ClaimName>
  /** Those of them whose room has not been given back, each with the place that it takes room of. */
  occupants(): Iterable<{ readonly place: number; readonly job: ClaimedJob }>
  /** Throws for a task that this runtime has not what it takes for. */
  check(task: TaskManifest): void
  /** Where a task belongs: where it says, or where it was moved to. */
  belongsTo(task: TaskManifest): TaskPlace
  /** A task runs elsewhere from now on. */
  moved(task: number): void
  /** A place is not ready yet, and is not waited for any more. */
  late(error: Error): void
  /** A task that nobody here handles has jobs, or may have. */
  unknown(task: string): void
}

export interface OutboundOptions {
  readonly index: number
  readonly outbox: Place
  readonly stepMs: number | undefined
}

const NO_ROOM = { jobs: 0, bytes: 0 }

/**
 * Tells the journal where tasks run and how much room there is: at the start, when a place has stopped, and after either
 * side has lost its memory. Room starts anew each time, so what is held is counted first, and what nobody holds goes back.
 */
export class Router implements Behavior<RouterMessage> {
  readonly #options: RouterOptions
  #status: 'open' | 'closed' = 'open'
  #cutShort: () => void = () => {}

  constructor(options: RouterOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { places, catalog, journal, stopped, late } = this.#options
    const found = await Promise.allSettled(places.map((place) => place.ready))
    for (const result of found) if (result.status === 'fulfilled') catalog.add(result.value)
    this.#refuseNone(found)
    found.forEach((result, at) => {
      if (result.status === 'rejected' && !stopped.has(at)) late(result.reason as Error)
    })
    for (const manifest of catalog.handled) this.#options.check(manifest)
    await journal.learn(
      catalog.handled.map(({ name }) => name),
      'some',
    )
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
      case 'task-moved':
        return this.#moved(message.task)
      case 'reroute':
        return this.#reroute()
      case 'probe':
        return this.#probe(message.task)
      case 'close':
        this.#status = 'closed'
        return this.#options.journal.route({ places: [], placeOf: [] })
    }
  }

  /** It stops, and must not wait for a journal that cannot write. */
  interrupt(): void {
    this.#status = 'closed'
    this.#cutShort()
  }

  /**
   * With no room for a moment no claim is under way, so that what is held can be told exactly. What ends meanwhile has
   * given its room back to nobody: so the room that is left is counted last, in the moment in which it is told.
   */
  #reroute(): Promise<void> {
    const cut = new Promise<void>((resolve) => {
      this.#cutShort = resolve
    })
    return Promise.race([this.#routeAnew(), cut])
  }

  async #routeAnew(): Promise<void> {
    if (this.#status === 'closed') return
    const { journal, catalog, paused } = this.#options
    const placeOf = catalog.places.map((place, task) => (this.#options.isPaused(task) ? -1 : place))
    const { partLimits: limits, maxWaiting, keepEndedMs } = catalog
    const rules = { placeOf, homeOf: catalog.homes, limits, maxWaiting, keepEndedMs, ...this.#outbound() }
    journal.route({ places: this.#routes(() => NO_ROOM), ...rules })
    await journal.barrier()
    if (this.#isClosed) return
    const held = new Map([...this.#options.held()].map((job) => [job.number, job.claim]))
    await journal.request({ type: 'reconcile', held })
    if (this.#isClosed) return
    const capacityOf = ({ capacity }: Place, place: number) => (paused.has(place) ? NO_ROOM : capacity)
    journal.route({ places: this.#routes(capacityOf), ...rules })
    for (const { place, job } of this.#options.occupants()) journal.giveRoom(place, -1, -weightOf(job))
    await journal.barrier()
  }

  /** Between those of tasks and the outbox are places that are given nothing. */
  #routes(capacityOf: (place: Place, at: number) => PlaceRoute['capacity']): PlaceRoute[] {
    const { places, outbound } = this.#options
    const routes = places.map((place, at) => ({ ...this.#routeOf(place, at), capacity: capacityOf(place, at) }))
    if (outbound === undefined) return routes
    const { index, outbox } = outbound
    while (routes.length < index) routes.push({ name: '', parallel: 0, capacity: NO_ROOM })
    return [...routes, { name: outbox.name, parallel: outbox.parallel, capacity: capacityOf(outbox, index) }]
  }

  /** Also since it was last looked at. */
  get #isClosed(): boolean {
    return this.#status === 'closed'
  }

  #outbound(): Pick<Routes, 'outbound'> {
    const { outbound, catalog } = this.#options
    if (outbound === undefined) return {}
    const tasks = catalog.places.map((_, task) => (catalog.isLocal(task) ? 'here' : 'out'))
    return { outbound: { place: outbound.index, tasks, stepMs: outbound.stepMs } }
  }

  /** Between reroutes: one would give back a claim that is on its way. */
  async #probe(task: number): Promise<void> {
    const { catalog, journal, paused } = this.#options
    const place = catalog.placeOf(task)
    if (this.#status === 'closed' || place < 0 || paused.has(place)) return
    try {
      await journal.request({ type: 'probe', task, place })
    } catch (error) {
      // A full disk, or the end: it has told so itself, and whoever wants a job tried asks again.
      if (!(error instanceof MillraceError)) throw error
    }
  }

  #routeOf({ name, parallel }: Place, at: number): Omit<PlaceRoute, 'capacity'> {
    return { name, parallel, ...this.#options.rules[at] }
  }

  #bind(names: readonly string[]): void {
    const { catalog, journal } = this.#options
    for (const name of names) {
      const manifest = catalog.manifest(name)
      const place = manifest === undefined ? -1 : this.#placeOf(manifest)
      catalog.bind(journal.taskIndex(name) as number, name, this.#options.stopped.has(place) ? -1 : place, place)
      if (manifest === undefined) this.#options.unknown(name)
    }
  }

  #moved(task: string): Promise<void> {
    this.#bind([task])
    this.#options.moved(this.#options.journal.taskIndex(task) as number)
    return this.#reroute()
  }

  #placeOf(manifest: TaskManifest): number {
    const { places, belongsTo } = this.#options
    const { name } = manifest
    const wanted = belongsTo(manifest)
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
