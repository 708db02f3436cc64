import type { ActorRef } from '../lib/actor.ts'
import type { Clock } from '../lib/clock.ts'
import type { AnyTask } from '../lib/task.ts'
import type { Across } from './across.ts'
import type { Catalog } from './catalog.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Config } from './config/config.ts'
import type { Pauses } from './control/pauses.ts'
import type { Suspensions } from './control/suspensions.ts'
import type { Desk } from './desk/desk.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Placements } from './dispatch/placements.ts'
import type { RunWatch } from './dispatch/run-watch.ts'
import type { Emit, Emitter } from './emit.ts'
import type { JournalAccess } from './journal/owner/access.ts'
import type {
  ClaimedJob,
  ClaimName,
  DispatcherMessage,
  DispatcherQuestion,
  EndedGroup,
  Place,
  PromoterMessage,
  RouterMessage,
  SettlerMessage,
  UpkeepMessage,
} from './messages.ts'
import type { StartsSink } from './journal/files/starts.ts'
import type { EarlyThreads } from './places/threads/early-threads.ts'
import type { Handlers } from './places/attempt/handlers.ts'
import type { HandlerCalls } from './places/loop/handler-calls.ts'
import type { Watchdog, WatchdogListener, WatchdogOptions } from './places/loop/watchdog.ts'
import type { Job } from './publish/job-handle.ts'
import type { ThreadBudget } from './places/threads/thread-budget.ts'
import type { Publisher } from './publish/publisher.ts'
import type { Announcer } from './settle/announcer.ts'
import type { Results } from './settle/results.ts'

/** Starts watching this loop; `journal` is the name in its jobs' ids. */
export type Watch = (listener: WatchdogListener, options: WatchdogOptions, journal: string) => Watchdog

/** What lives as long as the runtime. */
export interface Fixtures {
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
  readonly config: Config
  readonly emitter: Emitter
  readonly emit: Emit
  readonly catalog: Catalog
  readonly journal: JournalAccess
  readonly results: Results
  readonly announcer: Announcer
  readonly publisher: Publisher<Job>
  readonly desk: Desk
  /** Tasks of which this process has enqueued jobs, by name: with their schemas and what names their keys. */
  readonly metTasks: Map<string, AnyTask>
  /** Running jobs that somebody wants cancelled. */
  readonly wishes: Set<number>
  readonly calls: HandlerCalls
  readonly placements: Placements
  readonly runWatch: RunWatch
  readonly unsettled: Set<EndedGroup>
  /** Claims whose outcome the journal could not write: they stay running, and run again at the next start. */
  readonly unwritten: Set<ClaimName>
  /** Claims on their way to the dispatcher: they stand in no hand yet, or no more in a place, which is named then. */
  readonly undispatched: Map<readonly ClaimedJob[], number | undefined>
  /** Questions to the dispatcher that it has not answered. */
  readonly asked: Set<DispatcherQuestion>
  /** Places, by index, that are given nothing to run; tell the router after a change. */
  readonly paused: Set<number>
  /** What somebody has paused, and no job of which starts. */
  readonly pauses: Pauses
  /** Tasks whose attempts keep failing, and that are left alone for a while. */
  readonly suspensions: Suspensions
  /** Places, by index, that have given up, and why; outlives the stages that ask, which may be started anew. */
  readonly stopped: Map<number, Error>
  /** Places that were stopped with claims whose threads hang: these are free again when the threads have exited. */
  readonly leftBehind: Set<Place>
  /** Where places on the service's own loop write what they begin, instead of into the starts file. */
  readonly begun: StartsSink | undefined
  readonly early: EarlyThreads
  /** Shared by all places that have threads. */
  readonly budget: ThreadBudget
  /** As many new records in the starts file: the number of the first. */
  readonly takeStarts: (records: number) => number
  /** Where jobs run that were there at several deaths of the process. */
  readonly trials: 'in a process' | 'on the loop'
  readonly watch: Watch | undefined
  /** What jobs need that go to other machines and come from them; `undefined` without a broker. */
  readonly across: Across | undefined
}

/** What a restart replaces: always the present incarnation. Written by the tree alone. */
export interface Present {
  places: Place[]
  dispatcher: Dispatcher
  dispatch: ActorRef<DispatcherMessage>
  settle: ActorRef<SettlerMessage>
  router: ActorRef<RouterMessage>
  upkeep: ActorRef<UpkeepMessage>
  /** `undefined` where tasks are not moved. */
  promoter: ActorRef<PromoterMessage> | undefined
  /** This node among others; `undefined` without a broker that has control. */
  cluster: Cluster | undefined
  /** Whether somebody has asked the runtime to stop. */
  stopping: 'asked' | 'no'
  /** The handlers of lanes on the service's own loop; `undefined` if there is no such lane. */
  handlers: Handlers | undefined
  /** Path of the starts file of this owner epoch. */
  starts: string | undefined
}

export type Wires = Fixtures & Present
