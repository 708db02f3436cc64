import { spawn } from '../../lib/actor.ts'
import type { Ladder } from '../../lib/ladder.ts'
import { type ChildSpec, supervise } from '../../lib/supervision.ts'
import { Dispatcher } from '../dispatch/dispatcher.ts'
import { Promoter } from '../dispatch/promoter.ts'
import { Router } from '../dispatch/router.ts'
import { heldBy, occupants } from '../held.ts'
import type { GivenUp } from '../journal/protocol.ts'
import { placeListener, supervisionListener } from '../listeners.ts'
import { isPaused, outboxIndex, placeOfClaim } from '../place-of.ts'
import { isOutbound, type Place } from '../messages.ts'
import { Settler } from '../settle/settler.ts'
import { refuseUnknownBackoff, ToldBackoffs } from '../custom-backoffs.ts'
import { Upkeep } from '../upkeep/upkeep.ts'
import type { Wires } from '../wires.ts'
import { JournalChild } from './journal-child.ts'
import { clusterChild } from './cluster-child.ts'
import { PlaceChild } from './place-child.ts'
import { intakeChild, linkChild, outboxChild } from './across-children.ts'
import { TrialChild } from './trial-child.ts'
import { WatchdogChild } from './watchdog-child.ts'

/**
 * The whole runtime, in the order of its flow:
 *
 *   publish → journal → dispatcher → places → settler → journal → broker → intake → journal
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
    ...(wires.across === undefined ? [] : [linkChild(wires, wires.across)]),
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
    ...(wires.config.ladder === undefined ? [] : [promoterChild(wires, wires.config.ladder)]),
    ...(wires.across?.config.broker.supports.control === true ? [clusterChild(wires, wires.across)] : []),
    ...(wires.across === undefined || wires.across.config.role === 'publisher'
      ? []
      : [intakeChild(wires, wires.across)]),
  ]
}

/** A place that has given up stays away, and the others go on. */
function placesTree(wires: Wires): readonly ChildSpec[] {
  const places = wires.config.places.map(
    ({ name }, index): ChildSpec => ({
      id: name,
      restart: 'temporary',
      start: () => spawn(new PlaceChild(wires, index), { id: name, stopDeadlineMs: 60_000 }),
    }),
  )
  const start = () => spawn(new TrialChild(wires), { id: 'trial', stopDeadlineMs: 60_000 })
  // No place has such a name.
  const outbox = wires.across === undefined ? [] : [outboxChild(wires, wires.across)]
  return [...places, { id: '(trial)', restart: 'temporary', start }, ...outbox]
}

function startSettler(wires: Wires) {
  const { clock, random, catalog, journal, wishes, unsettled, config, across, emit } = wires
  const settler = new Settler({
    clock,
    catalog,
    journal,
    wishes,
    unsettled,
    customs: new ToldBackoffs(config.backoffs, (error) => emit.emit('runtime.error', { error })),
    keepEndedMs: config.journal.keepEndedMs,
    random,
    ...(across !== undefined && {
      crossing: {
        awayMs: across.config.awayMs,
        stepMs: across.stepMs,
        takenOf: (number: number) => across.deliveries.of(number),
      },
    }),
  })
  const child = spawn(settler, { id: 'settler', capacity: MAILBOX })
  wires.settle = child
  return child
}

function startDispatcher(wires: Wires) {
  const { across, asked, clock, places, stopped, undispatched, wishes, suspensions } = wires
  const dispatcher = new Dispatcher({
    clock,
    places,
    stopped,
    undispatched,
    asked,
    wishes,
    placeOf: (job) => placeOfClaim(wires, job),
    ...(across !== undefined && { isLost: (number: number) => across.deliveries.isLost(number) }),
    isHeld: (job) => !isOutbound(job) && (isPaused(wires, job.task) || suspensions.holdsJob(job)),
    ended: placeListener(wires).ended,
  })
  const child = spawn(dispatcher, { id: 'dispatcher', capacity: MAILBOX })
  wires.dispatcher = dispatcher
  wires.dispatch = child
  return child
}

function startRouter(wires: Wires) {
  const { across, catalog, config, journal, paused, placements, stopped, suspensions, emit } = wires
  const index = outboxIndex(wires)
  const child = spawn(
    new Router({
      catalog,
      journal,
      places: wires.places.slice(0, config.places.length),
      ...(across !== undefined && {
        outbound: { index, outbox: wires.places[index] as Place, stepMs: across.stepMs },
      }),
      paused,
      rules: config.places.map(({ retryEvery, maxWaiting }) => ({ retryEvery, ...(maxWaiting && { maxWaiting }) })),
      isPaused: (task) => isPaused(wires, task) || suspensions.holds(task),
      stopped,
      held: () => heldBy(wires),
      occupants: () => occupants(wires),
      check: (task) => refuseUnknownBackoff(task, config.backoffs),
      belongsTo: (task) => placements.placeOf(task),
      moved: (task) => wires.dispatch.tell({ type: 'task-moved', task }),
      late: (error) => emit.emit('runtime.error', { error }),
      // With a broker its jobs do not wait: others may know it.
      unknown: (task) => across === undefined && emit.emit('task.unknown', { task }),
    }),
    { id: 'router' },
  )
  wires.router = child
  return child
}

function promoterChild(wires: Wires, ladder: Ladder): ChildSpec {
  const { clock, catalog, placements, runWatch: watch, places, stopped, emit } = wires
  const promoter = () =>
    new Promoter({
      clock,
      ladder,
      catalog,
      placements,
      watch,
      isOpen(tier) {
        const at = places.findIndex(({ name, kind }) => kind === 'tier' && name === tier)
        return at >= 0 && !stopped.has(at)
      },
      moved(task, move) {
        wires.router.tell({ type: 'task-moved', task })
        emit.emit('task.moved', { task, ...move })
      },
      onError: (error) => emit.emit('runtime.error', { error: error as Error }),
    })
  return {
    id: 'promoter',
    restart: 'permanent',
    start() {
      const child = spawn(promoter(), { id: 'promoter' })
      wires.promoter = child
      return child
    },
  }
}

function startUpkeep(wires: Wires) {
  const { across, announcer, clock, journal, config, catalog, emit } = wires
  const { maxResults, maxEnded } = config.journal
  const child = spawn(
    new Upkeep({
      clock,
      journal,
      maxResults,
      maxEnded,
      histories: () => catalog.histories(),
      onError: (error) => emit.emit('runtime.error', { error: error as Error }),
      ...(across !== undefined && {
        away: { gaveUp: (jobs: readonly GivenUp[]) => announcer.gaveUp(jobs) },
      }),
    }),
    { id: 'upkeep' },
  )
  wires.upkeep = child
  return child
}
