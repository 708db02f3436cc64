import { spawn } from '../../lib/actor.ts'
import { type ChildSpec, supervise } from '../../lib/supervision.ts'
import { Dispatcher } from '../dispatch/dispatcher.ts'
import { Router } from '../dispatch/router.ts'
import { heldBy } from '../held.ts'
import { placeListener, supervisionListener } from '../listeners.ts'
import { Settler } from '../settle/settler.ts'
import { Upkeep } from '../upkeep/upkeep.ts'
import type { Wires } from '../wires.ts'
import { JournalChild } from './journal-child.ts'
import { PlaceChild } from './place-child.ts'
import { WatchdogChild } from './watchdog-child.ts'

/**
 * The whole runtime, in the order of its flow:
 *
 *   publish → journal → dispatcher → places → settler → journal
 *
 * Each child depends on those before it, so what is started after a child that fails is started anew with it
 * (rest-for-one), and all of them stop in the opposite order: the journal opens first and closes last.
 * Without the journal there is nothing to go on with: the root gives up, and says why.
 */
export function rootTree(wires: Wires): readonly ChildSpec[] {
  return [
    {
      id: 'journal',
      restart: 'permanent',
      start: () => spawn(new JournalChild(wires), { id: 'journal', stopDeadlineMs: 30_000 }),
    },
    {
      id: 'work',
      restart: 'permanent',
      start: () => supervise(workTree(wires), { id: 'work', ...WORK, onEvent: supervisionListener(wires) }),
    },
  ]
}

export const ROOT = { strategy: 'rest-for-one', restarts: 0, withinMs: 1 } as const
const WORK = { strategy: 'rest-for-one', restarts: 5, withinMs: 10_000 } as const
const PLACES = { strategy: 'one-for-one', restarts: 5, withinMs: 10_000 } as const

/** Claims are bounded by room, and outcomes by claims: a mailbox that refused them would only lose them. */
const MAILBOX = 1_000_000

function workTree(wires: Wires): readonly ChildSpec[] {
  return [
    { id: 'settler', restart: 'permanent', start: () => startSettler(wires) },
    { id: 'watchdog', restart: 'permanent', start: () => spawn(new WatchdogChild(wires), { id: 'watchdog' }) },
    {
      id: 'places',
      restart: 'permanent',
      start: () => supervise(placesTree(wires), { id: 'places', ...PLACES, onEvent: supervisionListener(wires) }),
    },
    { id: 'dispatcher', restart: 'permanent', start: () => startDispatcher(wires) },
    { id: 'router', restart: 'permanent', start: () => startRouter(wires) },
    { id: 'upkeep', restart: 'permanent', start: () => startUpkeep(wires) },
  ]
}

/** A place that has given up stays away, and the others go on. */
function placesTree(wires: Wires): readonly ChildSpec[] {
  return wires.config.places.map(({ name }, index) => ({
    id: name,
    restart: 'temporary',
    start: () => spawn(new PlaceChild(wires, index), { id: name, stopDeadlineMs: 60_000 }),
  }))
}

function startSettler(wires: Wires) {
  const { clock, random, catalog, journal, wishes, unsettled, config } = wires
  const settler = new Settler({
    clock,
    catalog,
    journal,
    wishes,
    unsettled,
    customs: config.backoffs,
    keepEndedMs: config.journal.keepEndedMs,
    random,
  })
  const child = spawn(settler, { id: 'settler', capacity: MAILBOX })
  wires.settle = child
  return child
}

function startDispatcher(wires: Wires) {
  const { clock, catalog, places, stopped, undispatched } = wires
  const dispatcher = new Dispatcher({
    clock,
    places,
    stopped,
    undispatched,
    placeOf: (task) => catalog.placeOf(task),
    ended: placeListener(wires).ended,
  })
  const child = spawn(dispatcher, { id: 'dispatcher', capacity: MAILBOX })
  wires.dispatcher = dispatcher
  wires.dispatch = child
  return child
}

function startRouter(wires: Wires) {
  const { catalog, journal, places, paused, stopped, emit } = wires
  const child = spawn(
    new Router({
      catalog,
      journal,
      places,
      paused,
      stopped,
      held: () => heldBy(wires),
      unknown: (task) => emit.emit('task.unknown', { task }),
    }),
    { id: 'router' },
  )
  wires.router = child
  return child
}

function startUpkeep(wires: Wires) {
  const { clock, journal, config, catalog, emit } = wires
  const { maxResults, maxEnded } = config.journal
  const child = spawn(
    new Upkeep({
      clock,
      journal,
      maxResults,
      maxEnded,
      histories: () => catalog.histories(),
      onError: (error) => emit.emit('runtime.error', { error: error as Error }),
    }),
    { id: 'upkeep' },
  )
  wires.upkeep = child
  return child
}
