import type { Behavior } from '../../lib/actor.ts'
import { hostOf } from '../config/config.ts'
import type { Wires } from '../wires.ts'

/** Watches the service's own loop while there is a lane on it. Without it all goes on, only less is known. */
export class WatchdogChild implements Behavior<never> {
  readonly #wires: Wires

  constructor(wires: Wires) {
    this.#wires = wires
  }

  start(): void {
    const { config, calls, watch, emit, journal } = this.#wires
    if (!config.places.some((place) => hostOf(place) === 'loop')) return
    calls.watchdog = watch?.(
      {
        blocked: (incident) => emit.emit('loop.blocked', incident),
        interrupted: (incident) => emit.emit('loop.interrupted', incident),
        failed: (error) => emit.emit('runtime.error', { error }),
      },
      config.watchdog,
      journal.name,
    )
  }

  receive(): void {}

  async stop(): Promise<void> {
    await this.#wires.calls.watchdog?.stop()
  }
}
