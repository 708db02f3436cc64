import type { Behavior, Self } from '../../lib/actor.ts'
import { StartsWriter } from '../journal/starts.ts'
import { childPort, placeListener } from '../listeners.ts'
import type { Place, PlaceListener } from '../messages.ts'
import { startsOf } from '../place-layout.ts'
import { AbsentPlace } from '../places/absent-place.ts'
import { type Handlers, importHandlers } from '../places/handlers.ts'
import { LoopLane } from '../places/loop-lane.ts'
import { ThreadPlace } from '../places/thread-place.ts'
import type { Wires } from '../wires.ts'

const HAND_BYTES = 8 * 1024 * 1024

type PlaceMessage = { readonly type: 'failed'; readonly error: Error }

/** One tier or lane. Its threads load their tasks while others start; when none of them can, it crashes. */
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
    const lane = this.#config.threads === 0
    this.#place = lane ? await this.#startLane(listener) : this.#startThreads({ ...listener, failed })
    this.#wires.places[this.#index] = this.#place
  }

  receive({ error }: PlaceMessage): void {
    throw error
  }

  /** Whoever stops the runtime has drained the place before: what runs now has had its grace. */
  async stop(): Promise<void> {
    await this.#place?.stop(0)
    this.#writer?.close()
  }

  async #startLane(listener: PlaceListener): Promise<Place> {
    try {
      return this.#laneWith(await this.#handlers(), listener)
    } catch (error) {
      this.#wires.places[this.#index] = new AbsentPlace(this.#config, error as Error)
      listener.failed(this.#index, error as Error)
      throw error
    }
  }

  /** Set up once for all lanes of the service's own loop. */
  async #handlers(): Promise<Handlers> {
    if (this.#wires.handlers !== undefined) return this.#wires.handlers
    const handlers = await importHandlers(this.#wires.config.modules)
    await handlers.setUp()
    this.#wires.handlers = handlers
    return handlers
  }

  #laneWith(handlers: Handlers, listener: PlaceListener): Place {
    const { clock, catalog, journal } = this.#wires
    const place = this.#config
    return new LoopLane(
      { ...place, index: this.#index, handBytes: HAND_BYTES },
      {
        clock,
        catalog,
        listener,
        children: childPort(this.#wires),
        handlers,
        journal: journal.name,
        starts: this.#wires.begun ?? this.#startsWriter(),
        calls: this.#wires.calls,
      },
    )
  }

  #startsWriter(): StartsWriter | undefined {
    const { starts } = this.#wires
    this.#writer = starts === undefined ? undefined : new StartsWriter(starts, this.#firstStart)
    return this.#writer
  }

  #startThreads(listener: PlaceListener): ThreadPlace {
    const { clock, catalog, config, journal, starts } = this.#wires
    return new ThreadPlace(
      { ...this.#config, index: this.#index, handBytes: HAND_BYTES, firstStart: this.#firstStart },
      {
        clock,
        catalog,
        listener,
        children: childPort(this.#wires),
        thread: { modules: config.modules, journal: journal.name, starts },
      },
    )
  }

  get #config() {
    return this.#wires.config.places[this.#index] as Wires['config']['places'][number]
  }

  get #firstStart(): number {
    return startsOf(this.#wires.config.places).first[this.#index] as number
  }
}
