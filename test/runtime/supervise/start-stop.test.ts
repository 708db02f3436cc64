import assert from 'node:assert/strict'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { EventEmitter } from 'eventemitter3'
import { memory, type MemoryStore, memoryStore } from '../../../adapters/memory/index.ts'
import { type Behavior, type Child, spawn } from '../../../lib/actor.ts'
import type { Broker, Delivery, QueueSpec } from '../../../lib/broker.ts'
import { systemClock } from '../../../lib/clock.ts'
import { controlQueues } from '../../../lib/control-message.ts'
import type { RuntimeEvents } from '../../../lib/events.ts'
import type { ChildSpec } from '../../../lib/supervision.ts'
import { type Across, acrossOf } from '../../../runtime/across.ts'
import type { AcrossOptions } from '../../../runtime/config/across-config.ts'
import { type Booted, boot, systemGround } from '../../../runtime/boot.ts'
import { type Config, resolveConfig } from '../../../runtime/config/config.ts'
import { Dispatcher } from '../../../runtime/dispatch/dispatcher.ts'
import { Promoter } from '../../../runtime/dispatch/promoter.ts'
import { Router } from '../../../runtime/dispatch/router.ts'
import { JournalAccess } from '../../../runtime/journal/owner/access.ts'
import { startJournalThread } from '../../../runtime/journal/owner/thread.ts'
import { HandlerCalls } from '../../../runtime/places/loop/handler-calls.ts'
import { Settler } from '../../../runtime/settle/settler.ts'
import { intakeChild, linkChild, outboxChild } from '../../../runtime/supervise/across-children.ts'
import { clusterChild } from '../../../runtime/supervise/cluster-child.ts'
import { JournalChild } from '../../../runtime/supervise/journal-child.ts'
import { PlaceChild } from '../../../runtime/supervise/place-child.ts'
import { TrialChild } from '../../../runtime/supervise/trial-child.ts'
import { WatchdogChild } from '../../../runtime/supervise/watchdog-child.ts'
import { Upkeep } from '../../../runtime/upkeep/upkeep.ts'
import { createRuntime } from '../../../runtime/index.ts'
import type { Wires } from '../../../runtime/wires.ts'
import { journalListener } from '../../../runtime/listeners.ts'
import { leakCheck } from '../../helpers/leak-check.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks } from '../../helpers/start-runtime.ts'
import { stressStartStop } from '../../helpers/stress-start-stop.ts'

leakCheck({ after }, { withinMs: 5_000 })

function configOf(file: string, across: AcrossOptions = {}): Config {
  return resolveConfig({
    ...across,
    tasks: fixtureTasks,
    journal: { file },
    tiers: {
      default: { threads: 1 },
      small: { threads: 1 },
      elastic: { threads: { min: 1, max: 3 } },
      heavy: { processes: 1 },
    },
    lanes: { network: { concurrency: 10 }, apart: { threads: 1, concurrency: 4 } },
  })
}

/** What starts threads is stressed less. */
const HEAVY = { concurrent: 2, rounds: 6, settleWithinMs: 10_000 }

/** The actors of a runtime that runs, once more each: beside those of its own tree. */
describe('every actor of the tree may be started and stopped at any moment:', () => {
  let booted: Booted
  const store = memoryStore()
  before(async () => {
    booted = await boot(configOf(':memory:', { broker: memory() }), systemGround())
  })
  after(async () => {
    booted.root.stop()
    await booted.root.exited
  })

  const actor = <M>(id: string, make: (wires: Wires) => Behavior<M>) =>
    it(id, () => stressStartStop(() => spawn(make(booted.wires), { id }) as Child<never>))

  actor('dispatcher', (wires) => new Dispatcher({ ...wires, placeOf: () => -1, isHeld: () => false, ended: () => {} }))
  actor('settler', (wires) => new Settler({ ...wires, unsettled: new Set(), customs: new Map(), keepEndedMs: 1 }))
  actor('router', (wires) => {
    const nothing = {
      rules: [],
      isPaused: () => false,
      held: () => [],
      occupants: () => [],
      moved: () => {},
      late: () => {},
      unknown: () => {},
    }
    return new Router({ ...wires, ...nothing, check: () => {}, belongsTo: ({ place }) => place })
  })
  actor('upkeep', (wires) => new Upkeep({ ...wires, maxResults: 1, maxEnded: 1, histories: () => [], onError: fail }))

  actor('trial', (wires) => new TrialChild(own(wires)))
  actor('promoter', (wires) => {
    const ladder = { rungs: [{ tier: 'default', budgetMs: Number.POSITIVE_INFINITY }], minRuns: 1, coolDownMs: 0 }
    return new Promoter({ ...wires, ladder, watch: wires.runWatch, isOpen: () => true, moved: () => {}, onError: fail })
  })

  const isAcross = (child: typeof outboxChild) =>
    stressStartStop(() => {
      const [wires, across] = apart(booted.wires)
      return begun(child(wires, across))
    })
  it('link', () => isAcross(linkChild))
  it('outbox', () => isAcross(outboxChild))
  it('intake', () => stressStartStop(() => intake(booted.wires)))
  it('cluster', () => stressStartStop(() => cluster(booted.wires, store)))

  it('lane of the loop', () => stressStartStop(() => place(booted.wires, 'network')))
  it('tier', () => stressStartStop(() => place(booted.wires, 'default'), HEAVY))
  it('elastic tier', () => stressStartStop(() => place(booted.wires, 'elastic'), HEAVY))
  it('tier of processes', () => stressStartStop(() => place(booted.wires, 'heavy'), HEAVY))
  it('lane of threads', () => stressStartStop(() => place(booted.wires, 'apart'), HEAVY))
  it('watchdog', () => stressStartStop(() => watchdog(booted.wires), HEAVY))
  it('journal', () => stressStartStop(() => journal(booted.wires), HEAVY))
})

describe('a whole runtime', () => {
  it('may be started and stopped at any moment, and leaves its journal to the next', async () => {
    const file = join(scratchFolder(), 'jobs.db')
    for (let round = 0; round < 4; round++) {
      const { root, wires } = await boot(configOf(file), systemGround())
      if (round % 2 === 0) await wires.journal.barrier()
      root.stop()
      assert.deepEqual(await root.exited, { type: 'stopped' })
    }
  })
})

describe('a start that fails', () => {
  it('lets the journal go', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    mkdirSync(`${file}.starts`)
    const options = {
      tasks: fixtureTasks,
      journal: { file },
      tiers: { default: {}, small: {} },
      lanes: { network: {} },
    }
    await assert.rejects(createRuntime(options), { code: 'MILLRACE_JOURNAL_IO', message: /the starts file beside/ })
    rmdirSync(`${file}.starts`)
    const runtime = await createRuntime(options)
    test.after(() => runtime.stop({ graceMs: 0 }))
  })
})

function fail(error: unknown): never {
  throw error
}

function place(wires: Wires, name: string): Child<never> {
  const index = wires.config.places.findIndex((each) => each.name === name)
  return spawn(new PlaceChild(own(wires), index), { id: name, stopDeadlineMs: 60_000 }) as Child<never>
}

function watchdog(wires: Wires): Child<never> {
  return spawn(new WatchdogChild(own(wires)), { id: 'watchdog' }) as Child<never>
}

/** What a child puts into the wires is not for those of the tree that runs. */
function own(wires: Wires): Wires {
  const calls = new HandlerCalls()
  return { ...wires, places: [], stopped: new Map(), starts: undefined, calls, leftBehind: new Set() }
}

/** With a broker of its own: a second link of one node would take from the first. */
function apart(wires: Wires, broker: Broker = memory()): [wires: Wires, across: Across] {
  const { config } = wires.across as Across
  const mine: { -readonly [Part in keyof Wires]: Wires[Part] } = own(wires)
  const across = acrossOf(mine, { ...config, broker })
  mine.across = across
  return [mine, across]
}

/** Its broker is open before it starts, and is closed after its end, as the link does it. */
function linked(across: Across, start: () => Child<never>): Child<never> {
  const { broker, queues } = across.config
  const work = queues.map((name): QueueSpec => ({ name, kind: 'work' }))
  void broker.open({ queues: [...work, ...controlQueues(across.node)], tell: () => {} })
  const child = start()
  void child.exited.then(() => broker.close())
  return child
}

/** What comes while it starts and stops is no job, so that nothing of it is left. */
function intake(wires: Wires): Child<never> {
  const [mine, across] = apart(wires)
  const { broker, queues } = across.config
  return linked(across, () => {
    const deliver = (delivery: Delivery) => {
      if (across.inlet.arrived.push(delivery) === 1) across.tellIntake({ type: 'arrived' })
    }
    for (const name of queues) {
      across.inlet.subscriptions.push(broker.subscribe(name, { prefetch: 0, deliver, lost: () => {} }))
      void broker.publish([{ id: 'none', queue: name, body: Buffer.from('no job') }])
    }
    return begun(intakeChild(mine, across))
  })
}

let nodes = 0

/** Nodes that come and go are seen by the others that do. */
function cluster(wires: Wires, store: MemoryStore): Child<never> {
  const [mine, across] = apart(wires, memory(store))
  across.node = `node${nodes++}`
  return linked(across, () => begun(clusterChild(mine, across)))
}

function begun(spec: ChildSpec): Child<never> {
  return spec.start({ adopt: () => {} })
}

let journals = 0

function journal(wires: Wires): Child<never> {
  const config = configOf(join(scratchFolder(), `jobs-${journals++}.db`))
  const own: { -readonly [Part in keyof Wires]: Wires[Part] } = {
    ...wires,
    config,
    emitter: new EventEmitter<RuntimeEvents>(),
  }
  own.journal = new JournalAccess(config.journal, startJournalThread, systemClock, journalListener(own, fail))
  return spawn(new JournalChild(own), { id: 'journal', stopDeadlineMs: 30_000 })
}
