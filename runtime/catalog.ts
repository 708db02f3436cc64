import type { BreakerPolicy } from '../lib/breaker.ts'
import type { MaxWaiting, PartLimits } from '../lib/limits.ts'
import type { TaskManifest } from '../lib/task.ts'
import type { HistoryBound } from './journal/store/history.ts'
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
  readonly #homeByIndex: number[] = []
  readonly #names: string[] = []
  readonly #placeLimits: readonly (PartLimits['place'] | undefined)[]

  /** What the tasks of a place share, by place index. */
  constructor(placeLimits: readonly (PartLimits['place'] | undefined)[] = []) {
    this.#placeLimits = placeLimits
  }

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

  /**
   * Joins an index to what is known under its name; `place` is -1 for a task that nobody here handles, or whose place has
   * stopped, which is its `home` all the same.
   */
  bind(index: number, name: string, place: number, home = place): void {
    this.#homeByIndex[index] = home
    this.#names[index] = name
    this.#byIndex[index] = limitedBy(this.#placeLimits[place], this.#byName.get(name))
    this.#placeByIndex[index] = place
  }

  get size(): number {
    return this.#names.length
  }

  /** By task index. */
  get places(): readonly number[] {
    return this.#placeByIndex
  }

  /** By task index: where each runs, or would if that place had not stopped. */
  get homes(): readonly number[] {
    return this.#homeByIndex
  }

  name(index: number): string {
    return this.#names[index] as string
  }

  placeOf(index: number): number {
    return this.#placeByIndex[index] ?? -1
  }

  /** Whether its jobs stay on the node where they are enqueued. */
  isLocal(index: number): boolean {
    return this.#byIndex[index]?.local === true
  }

  /** -1 for a task that nobody here handles. */
  homeOf(index: number): number {
    return this.#homeByIndex[index] ?? -1
  }

  /** Of tasks that keep succeeded jobs. */
  histories(): HistoryBound[] {
    return this.#byIndex.flatMap((manifest, task) => {
      if (manifest?.keepHistory === undefined) return []
      const { keepHistory, keepResultMs } = manifest
      return [{ task, max: keepHistory.max, ...(keepResultMs !== undefined && { keepResultMs }) }]
    })
  }

  /** What jobs share, by task index; empty where no task has limits. */
  get partLimits(): readonly (PartLimits | undefined)[] {
    return this.#eachOf('limits')
  }

  /** By task index; empty where no task has a bound. */
  get maxWaiting(): readonly (MaxWaiting | undefined)[] {
    return this.#eachOf('maxWaiting')
  }

  /** By task index; empty where no task says it. */
  get keepEndedMs(): readonly (number | undefined)[] {
    return this.#eachOf('keepEndedMs')
  }

  breakerOf(task: number): BreakerPolicy | undefined {
    return this.#byIndex[task]?.breaker
  }

  /** Whether the starts of a task's jobs are counted. */
  isRated(task: number): boolean {
    const limits = this.#byIndex[task]?.limits
    return limits !== undefined && (limits.rate ?? limits.place?.rate) !== undefined
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

  /** By task index; empty where no task has it. */
  #eachOf<K extends 'limits' | 'maxWaiting' | 'keepEndedMs'>(key: K): readonly (TaskManifest[K] | undefined)[] {
    if (this.#byIndex.every((manifest) => manifest?.[key] === undefined)) return []
    return Array.from(this.#byIndex, (manifest) => manifest?.[key])
  }
}

/** A task with what its place limits. */
function limitedBy(
  place: PartLimits['place'] | undefined,
  manifest: TaskManifest | undefined,
): TaskManifest | undefined {
  if (place === undefined || manifest === undefined) return manifest
  return { ...manifest, limits: { ...manifest.limits, place } }
}
