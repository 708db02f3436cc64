import assert from 'node:assert/strict'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { EventEmitter } from 'eventemitter3'
import { type Behavior, type Child, spawn } from '../../../lib/actor.ts'
import { systemClock } from '../../../lib/clock.ts'
import type { RuntimeEvents } from '../../../lib/events.ts'
import { type Booted, boot, systemGround } from '../../../runtime/boot.ts'
import { type Config, resolveConfig } from '../../../runtime/config.ts'
import { Dispatcher } from '../../../runtime/dispatch/dispatcher.ts'
import { Promoter } from '../../../runtime/dispatch/promoter.ts'
import { Router } from '../../../runtime/dispatch/router.ts'
import { JournalAccess } from '../../../runtime/journal/access.ts'
import { startJournalThread } from '../../../runtime/journal/thread.ts'
import { HandlerCalls } from '../../../runtime/places/handler-calls.ts'
import { Settler } from '../../../runtime/settle/settler.ts'
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

function configOf(file: string): Config {
  return resolveConfig({
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
  before(async () => {
    booted = await boot(configOf(':memory:'), systemGround())
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
