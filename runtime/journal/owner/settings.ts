import { fromErrorRecord } from '../../../lib/error-record.ts'
import type { Json } from '../../../lib/json.ts'
import type { Answer, Request } from '../protocol.ts'

/** What was set while a runtime ran and outlives it: which places are paused, where tasks were moved to. */
export class Settings {
  readonly #request: (request: Request) => Promise<Answer>
  readonly #values = new Map<string, Json>()

  constructor(request: (request: Request) => Promise<Answer>) {
    this.#request = request
  }

  /** What earlier owners have set. One that cannot be read is as if it was not there. */
  begin(stored: readonly (readonly [string, string])[]): void {
    for (const [name, value] of stored) {
      try {
        this.#values.set(name, JSON.parse(value) as Json)
      } catch {
        // Somebody else has written it: better the default than no runtime.
      }
    }
  }

  get(name: string): Json | undefined {
    return this.#values.get(name)
  }

  /** Names and values that begin so, as `pause.place.` does. */
  *beginningWith(prefix: string): Generator<readonly [string, Json]> {
    for (const [name, value] of this.#values) if (name.startsWith(prefix)) yield [name.slice(prefix.length), value]
  }

  /** Resolves when it is durable; `undefined` takes the setting away. Who asks sees it at once. */
  async set(name: string, value: Json | undefined): Promise<void> {
    if (value === undefined) this.#values.delete(name)
    else this.#values.set(name, value)
    const answer = await this.#request({
      type: 'set',
      name,
      value: value === undefined ? null : JSON.stringify(value),
    })
    if (answer.type === 'failed') throw fromErrorRecord(answer.error)
  }
}
