import type { Behavior } from '../../lib/actor.ts'
import type { Wires } from '../wires.ts'

/** Watches the service's own loop while there is a lane on it. Without it all goes on, only less is known. */
export class WatchdogChild implements Behavior<never> {
  readonly #wires: Wires

  constructor(wires: Wires) {
    this.#wires = wires
  }

  start(): void {
    const { config, calls, watch, emit } = this.#wires
    if (!config.places.some(({ threads }) => threads === 0)) return
    calls.watchdog = watch?.({
      blocked: (incident) => emit.emit('loop.blocked', incident),
      failed: (error) => emit.emit('runtime.error', { error }),
    })
  }

  receive(): void {}

  async stop(): Promise<void> {
    await this.#wires.calls.watchdog?.stop()
  }
}
