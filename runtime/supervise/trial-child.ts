import type { Behavior } from '../../lib/actor.ts'
import { placeListener } from '../listeners.ts'
import type { Place } from '../messages.ts'
import { startsOf } from './place-layout.ts'
import { publicIdOf, trialIndex } from '../place-of.ts'
import { type TrialListener, TrialPlace } from '../places/processes/trial-place.ts'
import type { Wires } from '../wires.ts'
import { loopLane, placeContext } from './place-child.ts'

/** Where jobs run that were there at several deaths of the process. */
export class TrialChild implements Behavior<never> {
  readonly #wires: Wires
  #place: Place | undefined

  constructor(wires: Wires) {
    this.#wires = wires
  }

  start(): void {
    this.#place = this.#wires.trials === 'in a process' ? this.#inProcess() : this.#onLoop()
    this.#wires.places[trialIndex(this.#wires)] = this.#place
  }

  receive(): void {}

  async stop(): Promise<void> {
    const stuck = await this.#place?.stop(0)
    if (this.#place !== undefined && stuck !== undefined && stuck.length > 0) this.#wires.leftBehind.add(this.#place)
  }

  #inProcess(): Place {
    const { catalog, config } = this.#wires
    const options = {
      index: trialIndex(this.#wires),
      start: startsOf(config.places).trial,
      maxMemoryMbOf: ({ task }: { readonly task: number }) => config.places[catalog.placeOf(task)]?.maxMemoryMb,
    }
    return new TrialPlace(options, placeContext(this.#wires, this.#listener()))
  }

  #listener(): TrialListener {
    const { catalog, emit } = this.#wires
    return {
      ...placeListener(this.#wires),
      tried: ({ number, task, extra }, verdict, deaths) =>
        emit.emit('job.tried', {
          id: publicIdOf(this.#wires, number),
          task: catalog.name(task),
          verdict,
          crashes: extra?.crashes ?? 0,
          deaths,
        }),
      postponed: (error) => {
        this.#wires.upkeep.tell({ type: 'trial-postponed' })
        emit.emit('trial.postponed', { error })
      },
    }
  }

  /** In a test, where nothing that a job does is the end of the process. */
  #onLoop(): Place {
    const { handlers, begun } = this.#wires
    const place = { name: 'trial', kind: 'tier', index: trialIndex(this.#wires), concurrency: 1, handJobs: 0 } as const
    if (handlers === undefined) throw new Error('suspects run on the loop only with handlers in memory')
    return loopLane(
      this.#wires,
      place,
      { handlers, starts: begun, firstStart: startsOf(this.#wires.config.places).trial },
      placeListener(this.#wires),
    )
  }
}
