import type { Behavior, Self } from '../../lib/actor.ts'
import { MillraceError } from '../../lib/errors.ts'
import { type StartsSink, StartsWriter } from '../journal/files/starts.ts'
import { hostOf } from '../config/config.ts'
import { childPort, placeListener } from '../listeners.ts'
import type { Place, PlaceListener } from '../messages.ts'
import { startsOf } from './place-layout.ts'
import { AbsentPlace } from '../places/absent-place.ts'
import { type Handlers, importHandlers } from '../places/attempt/handlers.ts'
import { inTime } from '../places/in-time.ts'
import { LoopLane } from '../places/loop/loop-lane.ts'
import type { LoopLaneOptions } from '../places/loop/loop-lane-options.ts'
import { unlessForItself } from '../places/own-entry.ts'
import { OwnTurn } from '../places/loop/own-turn.ts'
import { ProcessPlace } from '../places/processes/process-place.ts'
import { ThreadPlace } from '../places/threads/thread-place.ts'
import type { PlaceContext } from '../places/threads/thread-place-options.ts'
import type { Wires } from '../wires.ts'

const HAND_BYTES = 8 * 1024 * 1024

type PlaceMessage = { readonly type: 'failed'; readonly error: Error }

/** One tier or lane. Its threads or processes load their tasks while others start; when none of them can, it crashes. */
export class PlaceChild implements Behavior<PlaceMessage> {
  readonly #wires: Wires
  readonly #index: number
  #place: Place | undefined
  #writer: StartsWriter | undefined

  constructor(wires: Wires, index: number) {
    this.#wires = wires
    this.#index = index
  }

  async start(self: Self<PlaceMessage>): Promise<void> {
    const listener = placeListener(this.#wires)
    const failed = (place: number, error: Error) => {
      listener.failed(place, error)
      self.tell({ type: 'failed', error })
    }
    this.#wires.stopped.delete(this.#index)
    this.#place = await this.#startOn(hostOf(this.#config), { ...listener, failed })
    this.#wires.places[this.#index] = this.#place
  }

  receive({ error }: PlaceMessage): void {
    throw error
  }

  /** Whoever stops the runtime has drained the place before: what runs now has had its grace. */
  async stop(): Promise<void> {
    const stuck = await this.#place?.stop(0)
    if (this.#place !== undefined && stuck !== undefined && stuck.length > 0) this.#wires.leftBehind.add(this.#place)
    this.#writer?.close()
  }

  #startOn(host: ReturnType<typeof hostOf>, listener: PlaceListener): Place | Promise<Place> {
    switch (host) {
      case 'loop':
        return this.#startLane(placeListener(this.#wires))
      case 'threads':
        return new ThreadPlace(
          { ...this.#options, threads: this.#threads, budgetMs: this.#budgetMs },
          placeContext(this.#wires, listener),
        )
      case 'processes':
        return new ProcessPlace(this.#options, placeContext(this.#wires, listener))
    }
  }

  async #startLane(listener: PlaceListener): Promise<Place> {
    try {
      const handlers = await this.#handlers()
      const starts = this.#wires.begun ?? this.#startsWriter()
      const lane = { ...this.#config, index: this.#index }
      return loopLane(this.#wires, lane, { handlers, starts, firstStart: this.#firstStart }, listener)
    } catch (error) {
      this.#wires.places[this.#index] = new AbsentPlace(this.#config, error as Error)
      listener.failed(this.#index, error as Error)
      throw error
    }
  }

  /** Set up once for all lanes of the service's own loop. */
  async #handlers(): Promise<Handlers> {
    if (this.#wires.handlers !== undefined) return this.#wires.handlers
    const { clock } = this.#wires
    this.#wires.handlers = await inTime(clock, this.#loadHandlers(), this.#config.name)
    return this.#wires.handlers
  }

  async #loadHandlers(): Promise<Handlers> {
    const { clock, config, stopped } = this.#wires
    const nested = () => [...stopped.values()].find((error) => isNested(error))
    const handlers = await unlessForItself(clock, config.modules, importHandlers(config.modules), nested)
    await handlers.setUp()
    return handlers
  }

  #startsWriter(): StartsWriter | undefined {
    const { starts } = this.#wires
    this.#writer = starts === undefined ? undefined : new StartsWriter(starts, this.#firstStart)
    return this.#writer
  }

  get #options() {
    return { ...this.#config, index: this.#index, handBytes: HAND_BYTES, firstStart: this.#firstStart }
  }

  get #threads() {
    return { min: this.#config.threads, max: this.#config.maxThreads }
  }

  /** Of a tier that tasks are moved to since they are quick. */
  get #budgetMs(): number | undefined {
    const { kind, name } = this.#config
    const rung = this.#wires.config.ladder?.rungs.find(({ tier }) => kind === 'tier' && tier === name)
    return rung === undefined || rung.budgetMs === Number.POSITIVE_INFINITY ? undefined : rung.budgetMs
  }

  get #config() {
    return this.#wires.config.places[this.#index] as Wires['config']['places'][number]
  }

  get #firstStart(): number {
    return startsOf(this.#wires.config.places).first[this.#index] as number
  }
}

function isNested(error: Error): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_NESTED_RUNTIME'
}

/** What a place of threads or processes is given. */
export function placeContext<L extends PlaceListener>(
  wires: Wires,
  listener: L,
): PlaceContext & { readonly listener: L } {
  const { clock, catalog, config, starts, budget, takeStarts, early } = wires
  const thread = { modules: config.modules }
  const journal = { journal: wires.journal.name, starts }
  return { clock, catalog, listener, children: childPort(wires), thread, journal, early, budget, takeStarts }
}

export function loopLane(
  wires: Wires,
  place: Omit<LoopLaneOptions, 'handBytes'>,
  {
    handlers,
    starts,
    firstStart,
  }: { readonly handlers: Handlers; readonly starts: StartsSink | undefined; readonly firstStart: number },
  listener: PlaceListener,
): LoopLane {
  const { clock, catalog, calls, config, journal } = wires
  const children = childPort(wires)
  const turn = config.watchdog.atHardLimit === 'interrupt' ? new OwnTurn() : undefined
  const takeSlots = (count: number) => wires.takeStarts(count) - firstStart
  return new LoopLane(
    { ...place, handBytes: HAND_BYTES },
    { clock, catalog, listener, children, handlers, journal: journal.name, starts, calls, turn, takeSlots },
  )
}
