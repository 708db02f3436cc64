import { availableParallelism } from 'node:os'
import type { ErrorRecord } from '../lib/error-record.ts'
import { invalidOption, refuseUnknown, wholeNumber } from '../lib/options.ts'

export interface JournalConfig {
  /** Path of the journal, or ':memory:'. */
  readonly file: string
  /** 'full' (default): what is acknowledged survives a power cut. 'relaxed': it survives the end of the process. */
  readonly durability?: 'full' | 'relaxed'
  /** Results that are kept at most, oldest out first. Default 100,000. */
  readonly maxResults?: number
  /** How long dead, cancelled, discarded and expired jobs are kept. Default 7 days. */
  readonly keepEndedMs?: number
  /** How many of each of them at most. Default 100,000. */
  readonly maxEnded?: number
}

export interface TierConfig {
  /** Worker threads; each runs one job at a time. Default: as many as the machine has cores. */
  readonly threads?: number
  /** Heap of each thread in MiB. Default: Node's own. A thread that needs more may still end the process. */
  readonly maxHeapMb?: number
  /** Claimed jobs in memory besides those in slots. Default 4,096. */
  readonly handJobs?: number
  /** Threads that may hang in native calls, each replaced by another; one more, and the runtime drains. Default 4. */
  readonly maxZombies?: number
}

export interface LaneConfig {
  /** Jobs at once. Default 1,000. */
  readonly concurrency?: number
  /** 0 (default): the service's own event loop; more: as many threads with a loop each. */
  readonly threads?: number
  /** Claimed jobs in memory besides those that run. Default 4,096. */
  readonly handJobs?: number
}

/** Names a backoff that `retry.backoff: { type: 'custom', name }` refers to; returns milliseconds. */
export type CustomBackoff = (attempt: number, error: ErrorRecord) => number

export interface RuntimeOptions {
  /** The modules that threads import to find handlers: file URLs or absolute paths. */
  readonly tasks: URL | string | readonly (URL | string)[]
  readonly journal: JournalConfig
  /** Default: one tier `default`. */
  readonly tiers?: Readonly<Record<string, TierConfig>>
  readonly lanes?: Readonly<Record<string, LaneConfig>>
  readonly backoffs?: Readonly<Record<string, CustomBackoff>>
}

export interface PlaceConfig {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly threads: number
  readonly concurrency: number
  readonly handJobs: number
  readonly maxHeapMb: number | undefined
  readonly maxZombies: number
  readonly batchJobs?: number
}

/** The options with every default filled in. */
export interface Config {
  readonly modules: readonly string[]
  readonly journal: Required<JournalConfig>
  readonly places: readonly PlaceConfig[]
  readonly backoffs: ReadonlyMap<string, CustomBackoff>
}

const DAY_MS = 24 * 3_600_000

export function resolveConfig(options: RuntimeOptions): Config {
  refuseUnknown(options, ['tasks', 'journal', 'tiers', 'lanes', 'backoffs'], '')
  const { tiers = { default: {} }, lanes = {}, backoffs = {} } = options
  const places = [
    ...Object.entries(tiers).map(([name, tier]) => tierConfig(name, tier)),
    ...Object.entries(lanes).map(([name, lane]) => laneConfig(name, lane)),
  ]
  const twice = places.find(({ name }, at) => places.findIndex((other) => other.name === name) !== at)
  if (twice !== undefined) {
    throw invalidOption(`lanes.${twice.name}`, twice.name, 'a name that no tier has')
  }
  return {
    modules: modulesOf(options.tasks),
    journal: journalConfig(options.journal),
    places,
    backoffs: new Map(Object.entries(backoffs)),
  }
}

export function journalConfig(journal: JournalConfig): Required<JournalConfig> {
  if (typeof journal !== 'object' || journal === null || typeof journal.file !== 'string' || journal.file === '') {
    throw invalidOption('journal.file', journal?.file, "the path of the journal or ':memory:'")
  }
  refuseUnknown(journal, ['file', 'durability', 'maxResults', 'keepEndedMs', 'maxEnded'], 'journal.')
  const { durability = 'full' } = journal
  if (durability !== 'full' && durability !== 'relaxed') {
    throw invalidOption('journal.durability', durability, "'full' or 'relaxed'")
  }
  return {
    file: journal.file,
    durability,
    maxResults: wholeNumber(journal.maxResults ?? 100_000, 0, 1e9, 'journal.maxResults'),
    keepEndedMs: wholeNumber(journal.keepEndedMs ?? 7 * DAY_MS, 0, 3650 * DAY_MS, 'journal.keepEndedMs'),
    maxEnded: wholeNumber(journal.maxEnded ?? 100_000, 0, 1e9, 'journal.maxEnded'),
  }
}

function tierConfig(name: string, tier: TierConfig): PlaceConfig {
  const path = `tiers.${name}`
  refuseUnknown(tier, ['threads', 'maxHeapMb', 'handJobs', 'maxZombies'], `${path}.`)
  return {
    name: placeName(name, path),
    kind: 'tier',
    threads: wholeNumber(tier.threads ?? availableParallelism(), 1, 512, `${path}.threads`),
    concurrency: 1,
    handJobs: wholeNumber(tier.handJobs ?? 4_096, 0, 1e6, `${path}.handJobs`),
    maxHeapMb: tier.maxHeapMb === undefined ? undefined : wholeNumber(tier.maxHeapMb, 16, 1e6, `${path}.maxHeapMb`),
    maxZombies: wholeNumber(tier.maxZombies ?? 4, 0, 512, `${path}.maxZombies`),
  }
}

function laneConfig(name: string, lane: LaneConfig): PlaceConfig {
  const path = `lanes.${name}`
  refuseUnknown(lane, ['concurrency', 'threads', 'handJobs'], `${path}.`)
  return {
    name: placeName(name, path),
    kind: 'lane',
    threads: wholeNumber(lane.threads ?? 0, 0, 512, `${path}.threads`),
    concurrency: wholeNumber(lane.concurrency ?? 1_000, 1, 1e5, `${path}.concurrency`),
    handJobs: wholeNumber(lane.handJobs ?? 4_096, 0, 1e6, `${path}.handJobs`),
    maxHeapMb: undefined,
    maxZombies: Number.POSITIVE_INFINITY,
  }
}

function placeName(name: string, path: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) return name
  throw invalidOption(path, name, 'a name of lower-case letters, digits, dots and dashes')
}

function modulesOf(tasks: RuntimeOptions['tasks']): string[] {
  const list = Array.isArray(tasks) ? (tasks as readonly (URL | string)[]) : [tasks as URL | string]
  if (tasks === undefined || list.length === 0) {
    throw invalidOption('tasks', tasks, "the URL of a module: new URL('./tasks.js', import.meta.url)")
  }
  return list.map((module, at) => moduleUrl(module, list.length === 1 ? 'tasks' : `tasks[${at}]`))
}

function moduleUrl(module: URL | string, path: string): string {
  const text = module instanceof URL ? module.href : module
  if (typeof text === 'string' && text.startsWith('file:')) return text
  if (typeof text === 'string' && text.startsWith('/')) return new URL(text, 'file:').href
  throw invalidOption(path, text, "a file URL: new URL('./tasks.js', import.meta.url)")
}
