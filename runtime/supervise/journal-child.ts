import type { Behavior } from '../../lib/actor.ts'
import { MillraceError } from '../../lib/errors.ts'
import { createStarts } from '../journal/files/starts.ts'
import { startsOf } from './place-layout.ts'
import type { Wires } from '../wires.ts'

/** Opens the journal as its owner, and closes it when everything that writes to it has stopped. */
export class JournalChild implements Behavior<never> {
  readonly #wires: Wires

  constructor(wires: Wires) {
    this.#wires = wires
  }

  async start(): Promise<void> {
    const { journal, config, placements, results, pauses, early } = this.#wires
    const opening = journal.open()
    early.start()
    const opened = await opening
    pauses.begin()
    results.begin(opened.firstNumber)
    placements.begin(config.ladder?.rungs.map(({ tier }) => tier) ?? [])
    const { file } = config.journal
    try {
      this.#wires.starts =
        file === ':memory:' ? undefined : createStarts(file, opened.epoch, startsOf(config.places).records)
    } catch (cause) {
      // What has not started is not stopped by its actor: the lock would stay.
      await journal.close()
      throw startsFailed(file, cause)
    }
  }

  receive(): void {}

  async stop(): Promise<void> {
    await this.#wires.early.close()
    await this.#wires.journal.close()
  }
}

function startsFailed(file: string, cause: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the starts file beside ${file} cannot be written: ${String(cause)}; expected a folder in which files can be made; ` +
      'the journal is closed again, as it was; look at the rights on the folder and the room there',
    { cause },
  )
}
