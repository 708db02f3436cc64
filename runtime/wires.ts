import type { ActorRef } from '../lib/actor.ts'
import type { Clock } from '../lib/clock.ts'
import type { Catalog } from './catalog.ts'
import type { Config } from './config.ts'
import type { Desk } from './desk.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Emit, Emitter } from './emit.ts'
import type { JournalAccess } from './journal/access.ts'
import type {
  ClaimedJob,
  DispatcherMessage,
  EndedGroup,
  Place,
  RouterMessage,
  SettlerMessage,
  UpkeepMessage,
} from './messages.ts'
import type { StartsSink } from './journal/starts.ts'
import type { Handlers } from './places/handlers.ts'
import type { HandlerCalls } from './places/handler-calls.ts'
import type { Watchdog, WatchdogListener } from './places/watchdog.ts'
import type { Job } from './publish/job-handle.ts'
import type { Publisher } from './publish/publisher.ts'
import type { Announcer } from './settle/announcer.ts'
import type { Results } from './settle/results.ts'

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
  /** Running jobs that somebody wants cancelled. */
  readonly wishes: Set<number>
  readonly calls: HandlerCalls
  readonly unsettled: Set<EndedGroup>
  /** Claims on their way to the dispatcher: they stand in no hand yet, or no more in a place. */
  readonly undispatched: Set<readonly ClaimedJob[]>
  /** Places, by index, that are given nothing to run; tell the router after a change. */
  readonly paused: Set<number>
  /** Places, by index, that have given up, and why; outlives the stages that ask, which may be started anew. */
  readonly stopped: Map<number, Error>
  /** Where places on the service's own loop write what they begin, instead of into the starts file. */
  readonly begun: StartsSink | undefined
  readonly watch: ((listener: WatchdogListener) => Watchdog) | undefined
}

/** What a restart replaces: always the present incarnation. Written by the tree alone. */
export interface Present {
  places: Place[]
  dispatcher: Dispatcher
  dispatch: ActorRef<DispatcherMessage>
  settle: ActorRef<SettlerMessage>
  router: ActorRef<RouterMessage>
  upkeep: ActorRef<UpkeepMessage>
  /** Whether somebody has asked the runtime to stop. */
  stopping: 'asked' | 'no'
  /** The handlers of lanes on the service's own loop; `undefined` if there is no such lane. */
  handlers: Handlers | undefined
  /** Path of the starts file of this owner epoch. */
  starts: string | undefined
}

export type Wires = Fixtures & Present
