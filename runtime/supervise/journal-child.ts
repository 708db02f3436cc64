import type { Behavior } from '../../lib/actor.ts'
import { createStarts } from '../journal/starts.ts'
import { startsOf } from '../place-layout.ts'
import type { Wires } from '../wires.ts'

/** Opens the journal as its owner, and closes it when everything that writes to it has stopped. */
export class JournalChild implements Behavior<never> {
  readonly #wires: Wires

  constructor(wires: Wires) {
    this.#wires = wires
  }

  async start(): Promise<void> {
    const { journal, config, results } = this.#wires
    const opened = await journal.open()
    results.begin(opened.firstNumber)
    const { file } = config.journal
    this.#wires.starts =
      file === ':memory:' ? undefined : createStarts(file, opened.epoch, startsOf(config.places).records)
  }

  receive(): void {}

  async stop(): Promise<void> {
    await this.#wires.journal.close()
  }
}
