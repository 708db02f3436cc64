import { MillraceError } from '../../lib/errors.ts'
import type { Json } from '../../lib/json.ts'
import { invalidOption, refuseUnknown } from '../../lib/options.ts'
import type { Emit } from '../emit.ts'

/** What is paused or resumed: a task, by itself or its name, or all that runs in a place. */
export type PauseSubject =
  | { readonly task: string | { readonly name: string }; readonly place?: never }
  | { readonly place: string; readonly task?: never }

export interface PausesOptions {
  /** Where pauses outlive the runtime. */
  readonly settings: {
    beginningWith(prefix: string): Iterable<readonly [string, Json]>
    set(name: string, value: Json | undefined): Promise<void>
  }
  /** Names of places, by index. */
  readonly places: readonly string[]
  /** Tasks that the journal knows. */
  tasks(): readonly string[]
  readonly emit: Emit
  /** Resolves when what is paused starts no more, and what is not may start. */
  changed(): Promise<void>
}

const PREFIX = { task: 'pause.task.', place: 'pause.place.' } as const

interface Named {
  readonly kind: 'task' | 'place'
  readonly name: string
}

/** Which tasks and places somebody has paused. Their jobs wait in the journal; what runs goes on. */
export class Pauses {
  readonly #options: PausesOptions
  readonly #tasks = new Set<string>()
  readonly #places = new Set<string>()
  #latest: Promise<void> = Promise.resolve()

  constructor(options: PausesOptions) {
    this.#options = options
  }

  /** Takes over what was paused before this runtime. */
  begin(): void {
    for (const [name] of this.#options.settings.beginningWith(PREFIX.task)) this.#tasks.add(name)
    for (const [name] of this.#options.settings.beginningWith(PREFIX.place)) this.#places.add(name)
  }

  /** Whether jobs of a task do not start now, by itself or with its place. */
  holds(task: string, place: number): boolean {
    if (this.#tasks.size === 0 && this.#places.size === 0) return false
    return this.holdsTask(task) || this.holdsPlace(place)
  }

  holdsTask(task: string): boolean {
    return this.#tasks.has(task)
  }

  holdsPlace(place: number): boolean {
    return this.#places.has(this.#options.places[place] ?? '')
  }

  async pause(subject: PauseSubject): Promise<void> {
    const named = this.#named(subject, 'known')
    return this.#behindOthers(() => this.#pause(named))
  }

  async resume(subject: PauseSubject): Promise<void> {
    const named = this.#named(subject, 'paused')
    return this.#behindOthers(() => this.#resume(named))
  }

  /** What is asked for last shall hold, although what was asked for before is still on its way to the disk. */
  #behindOthers(change: () => Promise<void>): Promise<void> {
    const changed = this.#latest.then(change)
    this.#latest = changed.catch(() => undefined)
    return changed
  }

  async #pause({ kind, name }: Named): Promise<void> {
    if (this.#of(kind).has(name)) return
    await this.#options.settings.set(PREFIX[kind] + name, true)
    this.#of(kind).add(name)
    await this.#options.changed()
    if (kind === 'task') this.#options.emit.emit('task.paused', { task: name })
    else this.#options.emit.emit('place.paused', { place: name })
  }

  async #resume({ kind, name }: Named): Promise<void> {
    if (!this.#of(kind).has(name)) return
    await this.#options.settings.set(PREFIX[kind] + name, undefined)
    this.#of(kind).delete(name)
    await this.#options.changed()
    if (kind === 'task') this.#options.emit.emit('task.resumed', { task: name })
    else this.#options.emit.emit('place.resumed', { place: name })
  }

  #of(kind: Named['kind']): Set<string> {
    return kind === 'task' ? this.#tasks : this.#places
  }

  /** What is paused can be resumed although nothing has its name any more. */
  #named(subject: PauseSubject, which: 'known' | 'paused'): Named {
    refuseUnknown(subject, ['task', 'place'], '')
    const { task, place } = subject as { task?: string | { name: string }; place?: string }
    if ((task === undefined) === (place === undefined)) {
      throw invalidOption('task', task, 'a task or a place, and not both: { task } or { place }')
    }
    const kind = task === undefined ? 'place' : 'task'
    const name = typeof task === 'object' ? task?.name : (task ?? place)
    const known = kind === 'place' ? this.#options.places : this.#options.tasks()
    if (known.includes(name as string) || (which === 'paused' && this.#of(kind).has(name as string))) {
      return { kind, name: name as string }
    }
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `there is no ${kind} to pause or resume of this name; got ${JSON.stringify(name)}, expected one of ` +
        `${known.join(', ') || 'none'}; look at its name`,
      { path: kind },
    )
  }
}
