import type { TaskManifest } from '../lib/task.ts'
import { type ClaimedJob, overridesOf } from './messages.ts'

export interface Limits {
  readonly softLimitMs: number
  readonly hardLimitMs: number
}

/** What the owner knows of tasks, by the index that the journal gave them: their manifests and where they run. */
export class Catalog {
  readonly #byIndex: (TaskManifest | undefined)[] = []
  readonly #byName = new Map<string, TaskManifest>()
  readonly #placeByIndex: number[] = []
  readonly #names: string[] = []

  /** Manifests of the tasks that some thread or the service's loop handles; the same name comes from each of them. */
  add(manifests: readonly TaskManifest[]): void {
    for (const manifest of manifests) this.#byName.set(manifest.name, manifest)
  }

  get handled(): readonly TaskManifest[] {
    return [...this.#byName.values()]
  }

  manifest(name: string): TaskManifest | undefined {
    return this.#byName.get(name)
  }

  /** Joins an index to what is known under its name; `place` is -1 for a task that nobody here handles. */
  bind(index: number, name: string, place: number): void {
    this.#names[index] = name
    this.#byIndex[index] = this.#byName.get(name)
    this.#placeByIndex[index] = place
  }

  get size(): number {
    return this.#names.length
  }

  /** By task index. */
  get places(): readonly number[] {
    return this.#placeByIndex
  }

  name(index: number): string {
    return this.#names[index] as string
  }

  placeOf(index: number): number {
    return this.#placeByIndex[index] ?? -1
  }

  /** Tasks that keep succeeded jobs, and how many of them. */
  histories(): { readonly task: number; readonly max: number }[] {
    return this.#byIndex.flatMap((manifest, task) =>
      manifest?.keepHistory === undefined ? [] : [{ task, max: manifest.keepHistory.max }],
    )
  }

  of(job: ClaimedJob): TaskManifest {
    return this.#byIndex[job.task] as TaskManifest
  }

  limits(job: ClaimedJob): Limits {
    const manifest = this.of(job)
    if (job.extra?.overrides === undefined) return manifest
    const { softLimitMs = manifest.softLimitMs, hardLimitMs = manifest.hardLimitMs } = overridesOf(job)
    return { softLimitMs, hardLimitMs }
  }
}
