import { EventEmitter } from 'eventemitter3'
import type { Child, ExitReason } from '../lib/actor.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { MillraceError } from '../lib/errors.ts'
import type { RuntimeEvents } from '../lib/events.ts'
import { supervise } from '../lib/supervision.ts'
import { Catalog } from './catalog.ts'
import type { Config } from './config.ts'
import { Desk } from './desk.ts'
import { createEmit, type Emitter } from './emit.ts'
import { JournalAccess } from './journal/access.ts'
import type { ConnectJournal } from './journal/link.ts'
import { tailLostError } from './journal/mark.ts'
import type { StartsSink } from './journal/starts.ts'
import { startJournalThread } from './journal/thread.ts'
import { journalListener, supervisionListener, tellStopped } from './listeners.ts'
import { HandlerCalls } from './places/handler-calls.ts'
import type { Handlers } from './places/handlers.ts'
import { Watchdog, type WatchdogListener } from './places/watchdog.ts'
import { Publisher } from './publish/publisher.ts'
import { Job } from './publish/job-handle.ts'
import { Announcer } from './settle/announcer.ts'
import { Results } from './settle/results.ts'
import { ROOT, rootTree } from './supervise/tree.ts'
import type { Wires } from './wires.ts'

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
  /** Watches this loop; without it nobody does. */
  readonly watch?: (listener: WatchdogListener) => Watchdog
}

export function systemGround(): Ground {
  return {
    clock: systemClock,
    connect: startJournalThread,
    random: Math.random,
    emitter: new EventEmitter<RuntimeEvents>(),
    paused: new Set(),
    watch: (listener) => new Watchdog(systemClock, listener),
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
  if (reason !== undefined) throw causeOf(reason)
  void root.exited.then((why) => end(wires, causeOf(why)))
  const stopped = [...wires.stopped]
  // Not before the caller had a chance to listen.
  clock.setImmediate(() => {
    tellTailLoss(wires)
    for (const [place, error] of stopped) tellStopped(wires, place, error)
  })
  return { wires, root }
}

function wire(config: Config, ground: Ground, fail: (error: Error) => void): Wires {
  const { clock, emitter, connect, random, paused, handlers, begun, watch } = ground
  const emit = createEmit(emitter)
  const wires = { clock, random, config, emitter, emit, paused, begun, watch, catalog: new Catalog() } as Wires
  const journal = new JournalAccess(config.journal, connect, clock, journalListener(wires, fail))
  const desk = new Desk(wires)
  const results = new Results()
  const wishes = new Set<number>()
  return Object.assign(wires, {
    journal,
    desk,
    results,
    wishes,
    calls: new HandlerCalls(),
    announcer: new Announcer({ ...wires, results, wishes, journalName: () => journal.name }),
    publisher: new Publisher(journal, clock, (number, duplicate) => new Job(desk, number, duplicate)),
    unsettled: new Set(),
    undispatched: new Set(),
    stopped: new Map(),
    places: [],
    stopping: 'no',
    handlers,
    starts: undefined,
  } satisfies Partial<Wires>)
}

/** Everybody who still waits hears why nothing comes any more. */
function end(wires: Wires, error: Error): void {
  wires.publisher.close()
  wires.journal.abandon(error)
  wires.results.rejectAll(error)
  if (wires.stopping !== 'asked') wires.emit.emit('runtime.failed', { error })
}

/** It goes on, since what is left is whole; but somebody has to know. */
function tellTailLoss({ journal, emit, config }: Wires): void {
  if (journal.lost !== undefined)
    emit.emit('runtime.error', { error: tailLostError(config.journal.file, journal.lost) })
}

function stopped(): MillraceError {
  return new MillraceError('MILLRACE_STOPPING', 'the runtime has stopped; ask the next one, on the same journal')
}

function causeOf(reason: ExitReason): Error {
  const ending = reason.type === 'abandoned' ? reason.ending : reason
  const error = ending.type === 'crashed' ? ending.error : stopped()
  return error instanceof Error ? error : new Error(String(error))
}
