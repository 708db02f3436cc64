import { EventEmitter } from 'eventemitter3'
import type { Child, ExitReason } from '../lib/actor.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { MillraceError } from '../lib/errors.ts'
import type { RuntimeEvents } from '../lib/events.ts'
import { supervise } from '../lib/supervision.ts'
import { acrossOf } from './across.ts'
import { askDispatcher } from './ask-dispatcher.ts'
import { Catalog } from './catalog.ts'
import type { Config } from './config/config.ts'
import { Pauses } from './control/pauses.ts'
import { Suspensions } from './control/suspensions.ts'
import { Desk } from './desk/desk.ts'
import { Placements } from './dispatch/placements.ts'
import { RunWatch } from './dispatch/run-watch.ts'
import { createEmit, type Emitter } from './emit.ts'
import { earlyThreads, type HeadStart } from './head-start.ts'
import { meetTask } from './known-tasks.ts'
import { JournalAccess } from './journal/owner/access.ts'
import type { ConnectJournal } from './journal/link.ts'
import { tailLostError } from './journal/files/mark.ts'
import { growStarts, type StartsSink } from './journal/files/starts.ts'
import { journalThreads } from './journal/owner/thread.ts'
import { journalListener, supervisionListener, tellStopped } from './listeners.ts'
import type { EarlyThreads } from './places/threads/early-threads.ts'
import { HandlerCalls } from './places/loop/handler-calls.ts'
import type { Handlers } from './places/attempt/handlers.ts'
import { ThreadBudget } from './places/threads/thread-budget.ts'
import { Watchdog } from './places/loop/watchdog.ts'
import { isPaused } from './place-of.ts'
import { startsOf } from './supervise/place-layout.ts'
import { Publisher } from './publish/publisher.ts'
import { Job } from './publish/job-handle.ts'
import { Announcer } from './settle/announcer.ts'
import { Results } from './settle/results.ts'
import { ROOT, rootTree } from './supervise/tree.ts'
import type { Watch, Wires } from './wires.ts'

/** A runtime's parts, and the supervisor that keeps them running. */
export interface Booted {
  readonly wires: Wires
  readonly root: Child<never>
}

/** What a runtime stands on. The testing kit puts something else under it; all that is above stays the same. */
export interface Ground {
  readonly clock: Clock
  readonly connect: ConnectJournal
  /** From 0 up to 1, for the jitter of retries. */
  readonly random: () => number
  readonly emitter: Emitter
  /** For places on this loop; without it they import the tasks modules when they start. */
  readonly handlers?: Handlers
  /** Where places on this loop write what they begin; without it into the starts file. */
  readonly begun?: StartsSink
  /** Places, by index, that are given nothing to run. */
  readonly paused: Set<number>
  /** Where suspects run: in a process of their own, or on this loop, which then has no such trial. */
  readonly trials: 'in a process' | 'on the loop'
  /** The first threads of places; without them they are started with the journal. */
  readonly early?: EarlyThreads
  /** Watches this loop; without it nobody does. */
  readonly watch?: Watch
}

/** `head`: threads that have been started already. */
export function systemGround(head?: HeadStart): Ground {
  return {
    clock: systemClock,
    connect: journalThreads(head?.journal),
    ...(head !== undefined && { early: head.threads }),
    random: Math.random,
    emitter: new EventEmitter<RuntimeEvents>(),
    paused: new Set(),
    trials: 'in a process',
    watch: (...how) => new Watchdog(systemClock, ...how),
  }
}

/** Makes what lasts, then starts the tree; rejects with the cause when the tree cannot start. */
export async function boot(config: Config, ground: Ground): Promise<Booted> {
  const { clock } = ground
  const wires = wire(config, ground, (error) => {
    end(wires, error)
    root.stop()
  })
  const root = supervise(rootTree(wires), { id: 'millrace', ...ROOT, clock, onEvent: supervisionListener(wires) })
  const reason = await Promise.race([root.exited, root.started.then(() => undefined)])
  await wires.early.close()
  if (reason !== undefined) throw causeOf(reason)
  void root.exited.then((why) => end(wires, causeOf(why)))
  const stopped = [...wires.stopped]
  // Not before the caller had a chance to listen.
  clock.setImmediate(() => {
    tellTailLoss(wires)
    tellRecovered(wires)
    for (const [place, error] of stopped) tellStopped(wires, place, error)
    wires.across?.letIn()
  })
  return { wires, root }
}

function wire(config: Config, ground: Ground, fail: (error: Error) => void): Wires {
  const { clock, emitter, connect, random, paused, handlers, begun, trials, watch, early } = ground
  const emit = createEmit(emitter)
  const wires = {
    clock,
    random,
    config,
    emitter,
    emit,
    paused,
    begun,
    trials,
    watch,
    ...nothingYet(),
    catalog: new Catalog(config.places.map(({ name, limits }) => limits && { name, ...limits })),
  } as Wires
  const journal = new JournalAccess(config.journal, connect, clock, journalListener(wires, fail))
  const desk = new Desk(wires)
  const results = new Results((number) => desk.idOf(number))
  const wishes = new Set<number>()
  return Object.assign(wires, {
    journal,
    desk,
    results,
    wishes,
    pauses: pausesOf(wires, journal),
    suspensions: suspensionsOf(wires),
    calls: new HandlerCalls(),
    placements: new Placements(journal.settings),
    runWatch: new RunWatch({
      budgetOf: (task) => budgetOf(wires, task),
      look: (task) => wires.promoter?.tell({ type: 'look', task }),
    }),
    announcer: announcerOf(wires, journal, results, wishes),
    publisher: publisherOf(wires, journal, desk),
    budget: new ThreadBudget(config.maxThreads, config.standIns),
    early: early ?? earlyThreads(config, clock),
    takeStarts: startsBehind(wires),
    across: config.across === undefined ? undefined : acrossOf(wires, config.across),
    handlers,
  } satisfies Partial<Wires>)
}

/** What will be remembered of jobs and stages. */
function nothingYet(): Partial<Wires> {
  return {
    metTasks: new Map(),
    undispatched: new Map(),
    asked: new Set(),
    unsettled: new Set(),
    unwritten: new Set(),
    stopped: new Map(),
    leftBehind: new Set(),
    places: [],
    promoter: undefined,
    cluster: undefined,
    stopping: 'no',
    starts: undefined,
  }
}

function announcerOf(wires: Wires, journal: JournalAccess, results: Results, wishes: Set<number>): Announcer {
  return new Announcer({
    ...wires,
    results,
    wishes,
    journalName: () => journal.name,
    takenId: (number) => wires.across?.deliveries.of(number)?.envelope.id,
  })
}

function publisherOf(wires: Wires, journal: JournalAccess, desk: Desk): Publisher<Job> {
  return new Publisher(
    journal,
    wires.clock,
    (number, duplicate) => new Job(desk, number, duplicate),
    (task) => meetTask(wires, task),
  )
}

/** What a run of the task may take where it is; `undefined` for one that is never moved. */
function budgetOf({ catalog, config, placements }: Wires, task: number): number | undefined {
  const manifest = catalog.manifest(catalog.name(task))
  if (manifest === undefined || manifest.place.pinned) return undefined
  const { name } = placements.placeOf(manifest)
  return config.ladder?.rungs.find(({ tier }) => tier === name)?.budgetMs
}

/** Records of places that grow, behind those that are laid out; the file grows with them. */
function startsBehind(wires: Wires): (records: number) => number {
  let { records: next } = startsOf(wires.config.places)
  return (records) => {
    const first = next
    next += records
    if (wires.starts !== undefined) growStarts(wires.starts, first, records)
    return first
  }
}

function pausesOf(wires: Wires, journal: JournalAccess): Pauses {
  return new Pauses({
    settings: journal.settings,
    places: wires.config.places.map(({ name }) => name),
    tasks: () => journal.taskNames,
    emit: wires.emit,
    changed: () => pausesChanged(wires),
  })
}

function suspensionsOf(wires: Wires): Suspensions {
  const { clock, emit, catalog } = wires
  return new Suspensions({
    clock,
    emit,
    catalog,
    changed: () => pausesChanged(wires),
    probe(task) {
      if (isPaused(wires, task)) return
      wires.router.tell({ type: 'probe', task })
    },
  })
}

/** What stands in hands goes back to the journal first, and then nothing of it comes from there. */
async function pausesChanged(wires: Wires): Promise<void> {
  const { router, journal, across } = wires
  await new Promise<void>((answer) => askDispatcher(wires, { type: 'pauses-changed', answer }))
  router.tell({ type: 'reroute' })
  across?.tellIntake({ type: 'room' })
  await journal.barrier()
}

/** Everybody who still waits hears why nothing comes any more; the first reason counts. */
function end(wires: Wires, error: Error): void {
  if (wires.journal.end !== undefined) return
  wires.publisher.close(error)
  wires.suspensions.close()
  wires.journal.abandon(error)
  wires.results.rejectAll(error)
  wires.across?.handOvers.rejectAll(error)
  if (wires.stopping !== 'asked') wires.emit.emit('runtime.failed', { error })
}

/** It goes on, since what is left is whole; but somebody has to know. */
function tellTailLoss({ journal: { found }, emit, config }: Wires): void {
  if (found?.lost !== undefined) emit.emit('runtime.error', { error: tailLostError(config.journal.file, found.lost) })
}

function tellRecovered({ journal: { found }, emit, announcer }: Wires): void {
  if (found === undefined) return
  const { recovered, suspects } = found
  const { available, begun, cancelled } = recovered
  if (available + cancelled.length + suspects > 0) emit.emit('runtime.recovered', { available, begun, suspects })
  announcer.recovered(recovered)
}

function stopped(): MillraceError {
  return new MillraceError('MILLRACE_STOPPING', 'the runtime has stopped; ask the next one, on the same journal')
}

function causeOf(reason: ExitReason): Error {
  const ending = reason.type === 'abandoned' ? reason.ending : reason
  const error = ending.type === 'crashed' ? ending.error : stopped()
  return error instanceof Error ? error : new Error(String(error))
}
