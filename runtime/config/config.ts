import { availableParallelism } from 'node:os'
import type { Ladder } from '../../lib/ladder.ts'
import {
  type MaxWaiting,
  maxWaitingOf,
  type PlaceLimitOptions,
  type PlaceLimits,
  placeLimitsOf,
} from '../../lib/limits.ts'
import { type AcrossConfig, acrossConfig, type AcrossOptions } from './across-config.ts'
import { backoffsOf, type CustomBackoff } from './backoffs-config.ts'
import { journalPath } from './journal-path.ts'
import { modulesOf } from './modules-config.ts'
import { ladderOf, type PromotionConfig } from './promotion-config.ts'
import type { RecycleLimits } from '../../lib/recycle.ts'
import { invalidOption, refuseNoNames, refuseUnknown, wholeNumber } from '../../lib/options.ts'

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
  /** Worker threads; each runs one job at a time. Default: as many as the machine has cores. Or from so many to so many. */
  readonly threads?: number | ElasticThreads
  /** Instead of threads: child processes; each runs one job at a time, and can be killed whatever it does. */
  readonly processes?: number
  /** Heap of each thread in MiB. Default: Node's own. A thread that needs more may still end the process. */
  readonly maxHeapMb?: number
  /** Resident memory of each process in MiB; one that needs more is killed. Default: no limit but Node's own. */
  readonly maxMemoryMb?: number
  /** When a thread or process makes way for another, which is ready before; whichever is reached first. */
  readonly recycle?: RecycleConfig
  /** Claimed jobs in memory besides those in slots. Default 4,096. */
  readonly handJobs?: number
  /** Threads that may hang in native calls, each replaced by another; one more, for 3 s, and the runtime drains. Default 4. */
  readonly maxZombies?: number
  /** How much of what it claims may be retries while fresh work waits, 0.001 to 0.5. Default 0.1. */
  readonly retryShare?: number
  /** What all its tasks together may run and start. Default: as much as fits. */
  readonly limits?: PlaceLimitOptions
  /** How many jobs of all its tasks may wait in the journal, besides those in its hand. Default: as many as it holds. */
  readonly maxWaiting?: MaxWaiting
}

/** A tier grows while its jobs wait for too long, and shrinks when they have not for a while. */
export interface ElasticThreads {
  readonly min: number
  readonly max: number
}

export interface RecycleConfig {
  /** After so many jobs. */
  readonly jobs?: number
  /** So long after its first job. */
  readonly ageMs?: number
  /** With so many MiB after a job: of a thread its own heap and buffers, of a process resident memory. */
  readonly memoryMb?: number
}

export interface LaneConfig {
  /** Jobs at once on its loop, or on the loop of each of its threads; `limits` bounds all together. Default 1,000. */
  readonly concurrency?: number
  /** 0 (default): the service's own event loop; more: as many threads with a loop each. */
  readonly threads?: number
  /** Claimed jobs in memory besides those that run. Default 4,096. */
  readonly handJobs?: number
  /** How much of what it claims may be retries while fresh work waits, 0.001 to 0.5. Default 0.1. */
  readonly retryShare?: number
  /** What all its tasks together may run and start. Default: as much as fits. */
  readonly limits?: PlaceLimitOptions
  /** How many jobs of all its tasks may wait in the journal, besides those in its hand. Default: as many as it holds. */
  readonly maxWaiting?: MaxWaiting
}

/** What is done about the service's own loop when a handler of a lane holds it. */
export interface WatchdogConfig {
  /** A loop that stands still for this long is reported. Default 1,000. */
  readonly blockedMs?: number
  /**
   * Besides the report, when the job that holds the loop runs into its hard limit: nothing ('report', the default); its
   * handler is unwound and the job fails ('interrupt'); or the process is ended by SIGKILL ('end').
   */
  readonly atHardLimit?: 'report' | 'interrupt' | 'end'
}

export interface RuntimeOptions extends AcrossOptions {
  /** The modules that threads import to find handlers: file URLs or absolute paths. Only a publisher needs none. */
  readonly tasks?: URL | string | readonly (URL | string)[]
  readonly journal: JournalConfig
  /** Default: `default`, with as many threads as the machine has cores, and `fast` with one. */
  readonly tiers?: Readonly<Record<string, TierConfig>>
  readonly lanes?: Readonly<Record<string, LaneConfig>>
  readonly watchdog?: WatchdogConfig
  readonly backoffs?: Readonly<Record<string, CustomBackoff>>
  /** How tasks that name no tier are moved between tiers. Default: between `fast` and `default`, if both are there. */
  readonly promotion?: PromotionConfig | 'off'
  /**
   * Threads of all tiers together, which none grows beyond. Default: twice the cores, or what they have at least, and one
   * more for each tier with a budget, which is kept for who stands in there.
   */
  readonly maxThreads?: number
}

export interface PlaceConfig {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  /** At least; and at most. */
  readonly threads: number
  readonly maxThreads: number
  readonly processes: number
  readonly concurrency: number
  readonly handJobs: number
  readonly maxHeapMb: number | undefined
  readonly maxMemoryMb: number | undefined
  /** With limits a tier of threads has one thread more: the spare. */
  readonly recycle: RecycleLimits | undefined
  readonly maxZombies: number
  /** One claim in how many may be a retry while fresh work waits. */
  readonly retryEvery: number
  readonly limits?: PlaceLimits
  readonly maxWaiting?: MaxWaiting
  readonly batchJobs?: number
}

/** Where the handlers of a place run. */
export function hostOf({ threads, processes }: PlaceConfig): 'loop' | 'threads' | 'processes' {
  if (processes > 0) return 'processes'
  return threads > 0 ? 'threads' : 'loop'
}

/** Seats for threads at most: one more than there are jobs at once where a thread is kept ready. */
export function threadSeatsOf({ maxThreads, recycle }: PlaceConfig): number {
  return recycle === undefined ? maxThreads : maxThreads + 1
}

/** The options with every default filled in. */
export interface Config {
  readonly modules: readonly string[]
  readonly journal: Required<JournalConfig>
  readonly places: readonly PlaceConfig[]
  readonly watchdog: Required<WatchdogConfig>
  readonly backoffs: ReadonlyMap<string, CustomBackoff>
  /** `undefined` where tasks stay where they are. */
  readonly ladder: Ladder | undefined
  readonly maxThreads: number
  /** Of them: those that are kept for who stands in; none where somebody has said how many there may be. */
  readonly standIns: number
  /** `undefined` where every job runs here. */
  readonly across: AcrossConfig | undefined
}

const DAY_MS = 24 * 3_600_000
const DEFAULT_TIERS: Readonly<Record<string, TierConfig>> = { fast: { threads: 1 }, default: {} }

const OPTIONS = ['tasks', 'journal', 'tiers', 'lanes', 'watchdog', 'backoffs', 'promotion', 'maxThreads'].concat([
  'broker',
  'role',
  'awayMs',
])

export function resolveConfig(options: RuntimeOptions): Config {
  refuseUnknown(options, OPTIONS, '')
  const { tiers = DEFAULT_TIERS, lanes = {}, watchdog = {}, backoffs = {}, promotion } = options
  for (const [path, named] of Object.entries({ tiers, lanes, backoffs })) refuseNoNames(named, path)
  const places = [
    ...Object.entries(tiers).map(([name, tier]) => tierConfig(name, tier)),
    ...Object.entries(lanes).map(([name, lane]) => laneConfig(name, lane)),
  ]
  const twice = places.find(({ name }, at) => places.findIndex((other) => other.name === name) !== at)
  if (twice !== undefined) {
    throw invalidOption(`lanes.${twice.name}`, twice.name, 'a name that no tier has')
  }
  const across = acrossConfig(
    options,
    places.map(({ name }) => name),
  )
  // It names its places all the same: they are the queues that it sends to.
  const runs = across?.role !== 'publisher'
  const ladder = runs ? ladderOf(promotion, Object.keys(tiers)) : undefined
  return {
    modules: runs || options.tasks !== undefined ? modulesOf(options.tasks) : [],
    journal: journalConfig(options.journal),
    places: runs ? places : [],
    watchdog: watchdogConfig(watchdog),
    backoffs: backoffsOf(backoffs),
    ladder,
    ...totalOf(options.maxThreads, places, ladder),
    across,
  }
}

/** Twice the cores: threads that wait (for a disk, for each other) leave room for others, and more only take turns. */
function totalOf(most: number | undefined, places: readonly PlaceConfig[], ladder: Ladder | undefined) {
  const least = places.reduce((sum, { threads }) => sum + threads, 0)
  if (most !== undefined) return { maxThreads: wholeNumber(most, Math.max(1, least), 4_096, 'maxThreads'), standIns: 0 }
  const standIns = ladder?.rungs.filter(({ budgetMs }) => budgetMs !== Number.POSITIVE_INFINITY).length ?? 0
  return { maxThreads: Math.max(least, 2 * availableParallelism()) + standIns, standIns }
}

export function journalConfig(journal: JournalConfig): Required<JournalConfig> {
  if (typeof journal !== 'object' || journal === null || typeof journal.file !== 'string' || journal.file === '') {
    throw invalidOption('journal.file', journal?.file, "the path of the journal or ':memory:'")
  }
  refuseUnknown(journal, ['file', 'durability', 'maxResults', 'keepEndedMs', 'maxEnded'], 'journal.')
  const { durability = 'full', maxResults = 100_000, keepEndedMs = 7 * DAY_MS, maxEnded = 100_000 } = journal
  if (durability !== 'full' && durability !== 'relaxed') {
    throw invalidOption('journal.durability', durability, "'full' or 'relaxed'")
  }
  return {
    file: journal.file === ':memory:' ? journal.file : journalPath(journal.file, 'journal.file'),
    durability,
    maxResults: wholeNumber(maxResults, 0, 1e9, 'journal.maxResults'),
    keepEndedMs: wholeNumber(keepEndedMs, 0, 3650 * DAY_MS, 'journal.keepEndedMs'),
    maxEnded: wholeNumber(maxEnded, 0, 1e9, 'journal.maxEnded'),
  }
}

const TIER_OPTIONS = ['threads', 'processes', 'maxHeapMb', 'maxMemoryMb', 'recycle', 'handJobs', 'maxZombies']

function tierConfig(name: string, tier: TierConfig): PlaceConfig {
  const path = `tiers.${name}`
  refuseUnknown(tier, [...TIER_OPTIONS, ...SHARED_OPTIONS], `${path}.`)
  const { handJobs = 4_096, maxHeapMb, maxMemoryMb, recycle, maxZombies = 4 } = tier
  return {
    name: placeName(name, path),
    kind: 'tier',
    ...workersOf(tier, path),
    concurrency: 1,
    handJobs: wholeNumber(handJobs, 0, 1e6, `${path}.handJobs`),
    maxHeapMb: maxHeapMb === undefined ? undefined : wholeNumber(maxHeapMb, 16, 1e6, `${path}.maxHeapMb`),
    maxMemoryMb: maxMemoryMb === undefined ? undefined : wholeNumber(maxMemoryMb, 128, 1e6, `${path}.maxMemoryMb`),
    recycle: recycle === undefined ? undefined : recycleLimits(recycle, `${path}.recycle`),
    maxZombies: wholeNumber(maxZombies, 0, 512, `${path}.maxZombies`),
    ...sharedConfig(tier, path),
  }
}

/** Threads or processes, and what is said of one of them only with it. */
function workersOf(tier: TierConfig, path: string): Pick<PlaceConfig, 'threads' | 'maxThreads' | 'processes'> {
  if (tier.processes === undefined) {
    if (tier.maxMemoryMb !== undefined) {
      throw invalidOption(
        `${path}.maxMemoryMb`,
        tier.maxMemoryMb,
        'processes beside it; the heap of threads is maxHeapMb',
      )
    }
    const { threads = availableParallelism() } = tier
    const { min, max } = threadLimits(threads, `${path}.threads`)
    return { threads: min, maxThreads: max, processes: 0 }
  }
  for (const option of ['threads', 'maxHeapMb'] as const) {
    if (tier[option] === undefined) continue
    throw invalidOption(
      `${path}.${option}`,
      tier[option],
      'nothing, since the tier has processes; their memory is maxMemoryMb',
    )
  }
  return { threads: 0, maxThreads: 0, processes: wholeNumber(tier.processes, 1, 512, `${path}.processes`) }
}

/** One number, or from where to where; `path` is that of the option. */
export function threadLimits(threads: number | ElasticThreads, path: string): ElasticThreads {
  if (typeof threads !== 'object' || threads === null) {
    const fixed = wholeNumber(threads, 1, 512, path)
    return { min: fixed, max: fixed }
  }
  refuseUnknown(threads, ['min', 'max'], `${path}.`)
  const min = wholeNumber(threads.min, 1, 512, `${path}.min`)
  return { min, max: wholeNumber(threads.max, min, 512, `${path}.max`) }
}

function recycleLimits(recycle: RecycleConfig, path: string): RecycleLimits {
  refuseUnknown(recycle, ['jobs', 'ageMs', 'memoryMb'], `${path}.`)
  const { jobs, ageMs, memoryMb } = recycle
  return {
    jobs: jobs === undefined ? undefined : wholeNumber(jobs, 1, 1e9, `${path}.jobs`),
    ageMs: ageMs === undefined ? undefined : wholeNumber(ageMs, 100, 1e10, `${path}.ageMs`),
    memoryMb: memoryMb === undefined ? undefined : wholeNumber(memoryMb, 8, 1e6, `${path}.memoryMb`),
  }
}

/** A lane with its defaults filled in. */
export function laneConfig(name: string, lane: LaneConfig): PlaceConfig {
  const path = `lanes.${name}`
  refuseUnknown(lane, ['concurrency', 'threads', 'handJobs', ...SHARED_OPTIONS], `${path}.`)
  const { concurrency = 1_000, threads = 0, handJobs = 4_096 } = lane
  wholeNumber(threads, 0, 512, `${path}.threads`)
  return {
    name: placeName(name, path),
    kind: 'lane',
    threads,
    maxThreads: threads,
    processes: 0,
    concurrency: wholeNumber(concurrency, 1, 1e5, `${path}.concurrency`),
    handJobs: wholeNumber(handJobs, 0, 1e6, `${path}.handJobs`),
    maxHeapMb: undefined,
    maxMemoryMb: undefined,
    recycle: undefined,
    maxZombies: Number.POSITIVE_INFINITY,
    ...sharedConfig(lane, path),
  }
}

const AT_HARD_LIMIT = ['report', 'interrupt', 'end'] as const

function watchdogConfig(watchdog: WatchdogConfig): Required<WatchdogConfig> {
  refuseUnknown(watchdog, ['blockedMs', 'atHardLimit'], 'watchdog.')
  const { blockedMs = 1_000, atHardLimit = 'report' } = watchdog
  if (!AT_HARD_LIMIT.includes(atHardLimit))
    throw invalidOption('watchdog.atHardLimit', atHardLimit, "'report', 'interrupt' or 'end'")
  return { blockedMs: wholeNumber(blockedMs, 200, 3_600_000, 'watchdog.blockedMs'), atHardLimit }
}

const RETRY_SHARE = 0.1

/** Options that every kind of place has. */
const SHARED_OPTIONS = ['retryShare', 'limits', 'maxWaiting']

type SharedOptions = Pick<LaneConfig, 'retryShare' | 'limits' | 'maxWaiting'>

function sharedConfig({ retryShare = RETRY_SHARE, limits, maxWaiting }: SharedOptions, path: string) {
  return {
    retryEvery: retryEvery(retryShare, `${path}.retryShare`),
    ...(limits !== undefined && { limits: placeLimitsOf(limits, `${path}.limits`) }),
    ...(maxWaiting !== undefined && { maxWaiting: maxWaitingOf(maxWaiting, `${path}.maxWaiting`) }),
  }
}

function retryEvery(share: number, path: string): number {
  if (typeof share === 'number' && share >= 0.001 && share <= 0.5) return Math.round(1 / share)
  throw invalidOption(path, share, 'a share from 0.001 to 0.5')
}

function placeName(name: string, path: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) return name
  throw invalidOption(path, name, 'a name of lower-case letters, digits, dots and dashes')
}
