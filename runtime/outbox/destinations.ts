import type { Json } from '../../lib/json.ts'
import type { AnyTask, TaskManifest } from '../../lib/task.ts'

export interface DestinationsOptions {
  readonly settings: {
    beginningWith(prefix: string): Iterable<readonly [string, Json]>
    set(name: string, value: Json | undefined): Promise<void>
  }
  /** Of a task that is handled here. */
  manifest(task: string): TaskManifest | undefined
  /** Where such a task runs here. */
  placeOf(manifest: TaskManifest): string
  failed(error: Error): void
}

const PREFIX = 'queue.'
const DEFAULT_QUEUE = 'default'

/**
 * The queue for each task: the name of the place in which it runs, as far as this node knows. Of a task that it does not
 * handle it knows what its contract says, and remembers that, since jobs may wait for the broker longer than for it.
 */
export class Destinations {
  readonly #options: DestinationsOptions
  readonly #byTask = new Map<string, string>()

  constructor(options: DestinationsOptions) {
    this.#options = options
  }

  /** What earlier runtimes have met. */
  begin(): void {
    for (const [task, queue] of this.#options.settings.beginningWith(PREFIX)) {
      if (typeof queue === 'string') this.#byTask.set(task, queue)
    }
  }

  /** Jobs of the task are about to be written; what is remembered is in the same commit, before them. */
  met({ name, place }: Pick<AnyTask, 'name' | 'place'>): void {
    if (this.#byTask.get(name) === place.name || this.#options.manifest(name) !== undefined) return
    this.#byTask.set(name, place.name)
    this.#options.settings.set(PREFIX + name, place.name).catch((error: Error) => this.#options.failed(error))
  }

  queueOf(task: string): string {
    const manifest = this.#options.manifest(task)
    return manifest === undefined ? (this.#byTask.get(task) ?? DEFAULT_QUEUE) : this.#options.placeOf(manifest)
  }
}
