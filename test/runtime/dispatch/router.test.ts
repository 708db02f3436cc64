import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Child, spawn } from '../../../lib/actor.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { defineTask, taskManifest, type TaskManifest, type TaskPlace } from '../../../lib/task.ts'
import { Catalog } from '../../../runtime/catalog.ts'
import { Router } from '../../../runtime/dispatch/router.ts'
import type { ClaimedJob, Place, RouterMessage } from '../../../runtime/messages.ts'
import { numbersOf } from '../../helpers/claims.ts'
import { openLoopJournal } from '../../helpers/loop-journal.ts'
import { SlotPlace } from '../../helpers/slot-place.ts'

const manifestOf = (name: string, place: { tier: string } | { lane: string }) =>
  taskManifest(defineTask({ name, ...place, run: (_input: null) => null }))

const resize = manifestOf('resize', { tier: 'default' })
const share = manifestOf('share', { lane: 'network' })
const lost = manifestOf('lost', { tier: 'elsewhere' })

interface PlaceFacts {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly ready: Promise<readonly TaskManifest[]>
  readonly jobs?: number
}

function placeOf({ jobs = 4, ...facts }: PlaceFacts): Place {
  facts.ready.catch(() => {})
  return Object.assign(new SlotPlace(0), facts, { capacity: { jobs, bytes: 1_000 } })
}

const both = Promise.resolve([resize, share])
const tier = (ready: PlaceFacts['ready'] = both, jobs = 4) => placeOf({ name: 'default', kind: 'tier', ready, jobs })
const lane = (ready: PlaceFacts['ready'] = both) => placeOf({ name: 'network', kind: 'lane', ready })

/** A started router between the real journal and the given places. */
async function routerOf(test: TestContext, places: readonly Place[]) {
  const parts = {
    catalog: new Catalog(),
    paused: new Set<number>(),
    isPaused: () => false,
    rules: [],
    stopped: new Map<number, Error>(),
    held: [] as ClaimedJob[],
    late: [] as Error[],
    unknown: [] as string[],
    belongs: new Map<string, TaskPlace>(),
    moved: [] as number[],
    /** Called when the router has looked at what is held. */
    looked: undefined as (() => void) | undefined,
    /** What takes up room, where that is not all that is held. */
    occupying: undefined as (() => ClaimedJob[]) | undefined,
  }
  let router: Child<RouterMessage> | undefined
  const loop = await openLoopJournal(test, new ManualClock(1_000_000), {
    learnedTasks: (names) => void router?.tell({ type: 'learned', names }),
    reopened: () => void router?.tell({ type: 'reroute' }),
  })
  const { journal } = loop
  const { held, unknown, catalog, paused, isPaused, rules, stopped } = parts
  const behavior = new Router({
    catalog,
    paused,
    isPaused,
    rules,
    stopped,
    journal,
    places,
    held: () => {
      const all = [...held]
      queueMicrotask(() => parts.looked?.())
      return all
    },
    occupants: () => (parts.occupying?.() ?? held).map((job) => ({ place: parts.catalog.placeOf(job.task), job })),
    check: () => {},
    belongsTo: ({ name, place }) => parts.belongs.get(name) ?? place,
    moved: (task) => void parts.moved.push(task),
    late: (error) => void parts.late.push(error),
    unknown: (task) => void unknown.push(task),
  })
  router = spawn(behavior, { id: 'router' })
  await Promise.race([router.started, router.exited])
  test.after(() => router?.stop())
  /** Tells the router, and waits until it has done what it was told. */
  const tell = async (...messages: readonly RouterMessage[]) => {
    for (const message of messages) router?.tell(message)
    await rounds(journal.barrier.bind(journal))
  }
  const exit = () => (router as Child<RouterMessage>).exited
  return { ...parts, parts, ...loop, tell, exit }
}

/** A reroute takes three commits, one after another. */
async function rounds(barrier: () => Promise<void>): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await barrier()
    await turn()
  }
}

describe('the router', () => {
  it('binds tasks to the places that they name, and gives these room', async (test) => {
    const { catalog, journal, claimed, enqueue } = await routerOf(test, [tier(), lane()])
    const placesOf = ['resize', 'share'].map((task) => catalog.placeOf(journal.taskIndex(task) as number))
    assert.deepEqual(placesOf, [0, 1])
    const numbers = [await enqueue('resize'), await enqueue('share')]
    assert.deepEqual(numbersOf(claimed), numbers)
  })

  it('parks a task that nobody handles and says so; its jobs wait', async (test) => {
    const { catalog, journal, claimed, unknown, enqueue, tell } = await routerOf(test, [tier(), lane()])
    await enqueue('strange')
    await tell()
    assert.deepEqual(unknown, ['strange'])
    assert.equal(catalog.placeOf(journal.taskIndex('strange') as number), -1)
    assert.deepEqual(claimed, [])
  })

  it('fails with a task whose place there is not, and says which there are', async (test) => {
    const { exit } = await routerOf(test, [tier(Promise.resolve([resize, lost])), lane()])
    const reason = await exit()
    assert.equal(reason.type, 'crashed')
    const { code, path, message } = (reason as { error: Error & { code: string; path: string } }).error
    assert.deepEqual([code, path], ['MILLRACE_UNKNOWN_PLACE', 'tiers.elsewhere'])
    assert.match(message, /lost wants the tier elsewhere; got default, expected/)
  })

  it('fails with the first cause when no place is ready, and goes on while one is', async (test) => {
    const broken = () => Promise.reject(new Error('no module'))
    const none = await routerOf(test, [tier(broken()), lane(Promise.reject(new Error('nor here')))])
    const reason = await none.exit()
    assert.match(String((reason as { error?: unknown }).error), /no module/)
    const { claimed, enqueue } = await routerOf(test, [tier(broken()), lane()])
    const number = await enqueue('share')
    assert.deepEqual(numbersOf(claimed), [number])
  })
})

describe('a router that is stopped', () => {
  it('does not wait for a journal that cannot write', async () => {
    const journal = {
      taskNames: [],
      taskIndex: () => 0,
      learn: async () => {},
      route: () => {},
      request: () => new Promise<never>(() => {}),
      barrier: async () => {},
      giveRoom: () => {},
    }
    const nothing = () => {}
    const none = { catalog: new Catalog(), paused: new Set<number>(), rules: [], stopped: new Map<number, Error>() }
    const says = { check: nothing, moved: nothing, late: nothing, unknown: nothing, isPaused: () => false }
    const holds = { held: () => [], occupants: () => [], belongsTo: ({ place }: TaskManifest) => place }
    const behavior = new Router({ ...none, ...says, ...holds, journal, places: [tier(), lane()] })
    const router = spawn(behavior, { id: 'router', clock: new ManualClock() })
    await turn()
    router.stop()
    assert.deepEqual(await router.exited, { type: 'stopped' })
  })
})

describe('room', () => {
  it('starts anew with what is held counted as used', async (test) => {
    const { claimed, held, enqueue, tell } = await routerOf(test, [tier(both, 3), lane()])
    for (let at = 0; at < 5; at++) await enqueue('resize')
    assert.equal(claimed.length, 3)
    held.push(...claimed)
    await tell({ type: 'reroute' })
    assert.equal(claimed.length, 3, 'no room beyond what is held')
    held.shift()
    await tell({ type: 'reroute' })
    assert.equal(claimed.length, 4, 'what nobody holds has gone back, and its room is given again')
  })

  it('is not used up for good by what has given it back and is not settled yet', async (test) => {
    const { parts, claimed, held, journal, enqueue, tell } = await routerOf(test, [tier(both, 3), lane()])
    const unsettled = new Set<ClaimedJob>()
    parts.occupying = () => held.filter((job) => !unsettled.has(job))
    for (let at = 0; at < 10; at++) await enqueue('resize')
    held.push(...claimed)
    for (let round = 1; round < 5; round++) {
      const job = held[0] as ClaimedJob
      unsettled.add(job)
      await tell({ type: 'reroute' })
      journal.finish({ job, outcome: { type: 'succeeded', output: '' }, startedAt: undefined, endedAt: undefined })
      held.splice(0, 1)
      held.push(...claimed.slice(-1))
      assert.deepEqual([claimed.length, new Set(numbersOf(claimed)).size], [3 + round, 3 + round])
    }
  })

  it('is given back once by what ends while the router looks', async (test) => {
    const { parts, journal, claimed, held, enqueue, tell } = await routerOf(test, [tier(both, 3), lane()])
    for (let at = 0; at < 4; at++) await enqueue('resize')
    held.push(...claimed)
    parts.looked = () => {
      const job = held.shift() as ClaimedJob
      journal.finish({ job, outcome: { type: 'succeeded', output: '' }, startedAt: 1, endedAt: 2 })
      journal.giveRoom(0, 1, job.input.length)
      parts.looked = undefined
    }
    parts.occupying = () => [...held, ...claimed.slice(3)]
    await tell({ type: 'reroute' })
    assert.equal(claimed.length, 4, 'the room of what has ended is there for the one that waits')
    await enqueue('resize')
    await tell()
    assert.equal(claimed.length, 4, 'and is not there twice')
  })

  it('is used up by the bytes of what is held too', async (test) => {
    const { claimed, held, enqueue, tell } = await routerOf(test, [tier(both, 100), lane()])
    await enqueue('resize', JSON.stringify('x'.repeat(1_200)))
    held.push(...claimed)
    await tell({ type: 'reroute' })
    await enqueue('resize')
    assert.equal(claimed.length, 1)
    held.length = 0
    await tell({ type: 'reroute' })
    assert.equal(claimed.length, 2)
  })

  it('is none while a place is paused', async (test) => {
    const { claimed, held, paused, enqueue, tell } = await routerOf(test, [tier(), lane()])
    paused.add(0)
    await tell({ type: 'reroute' })
    const [waits, runs] = [await enqueue('resize'), await enqueue('share')]
    assert.deepEqual(numbersOf(claimed), [runs])
    held.push(...claimed)
    paused.clear()
    await tell({ type: 'reroute' })
    assert.deepEqual(numbersOf(claimed), [runs, waits])
  })

  it('is gone with a place that has stopped: its tasks are parked, the others go on', async (test) => {
    const { claimed, stopped, catalog, journal, enqueue, tell } = await routerOf(test, [tier(), lane()])
    stopped.set(0, new Error('no thread starts'))
    await tell({ type: 'place-stopped', place: 0 })
    assert.equal(catalog.placeOf(journal.taskIndex('resize') as number), -1)
    await enqueue('resize')
    const runs = await enqueue('share')
    assert.deepEqual(numbersOf(claimed), [runs])
  })

  it('is given anew after the journal was opened again, and claims that are held stay claimed', async (test) => {
    const { claimed, held, die, enqueue, tell } = await routerOf(test, [tier(both, 3), lane()])
    const first = await enqueue('resize')
    held.push(...claimed)
    die()
    await tell()
    const more = [await enqueue('resize'), await enqueue('resize')]
    await enqueue('resize')
    await tell()
    assert.deepEqual(numbersOf(claimed), [first, ...more])
  })

  it('is none for anybody once the router was closed, whatever it is told later', async (test) => {
    const { claimed, enqueue, tell } = await routerOf(test, [tier(), lane()])
    await tell({ type: 'close' }, { type: 'reroute' })
    await enqueue('resize')
    await tell()
    assert.deepEqual(claimed, [])
  })
})

describe('a task that has moved', () => {
  it('runs where it belongs now: new jobs go there, and who has its old ones hears of it', async (test) => {
    const fast = placeOf({ name: 'fast', kind: 'tier', ready: both })
    const { catalog, journal, belongs, moved, claimed, enqueue, tell } = await routerOf(test, [tier(), lane(), fast])
    const task = journal.taskIndex('resize') as number
    belongs.set('resize', { type: 'tier', name: 'fast', pinned: false })
    await tell({ type: 'task-moved', task: 'resize' })
    assert.deepEqual([catalog.placeOf(task), moved], [2, [task]])
    const number = await enqueue('resize')
    assert.deepEqual(numbersOf(claimed), [number])
  })
})

describe('a reroute', () => {
  it('looks at what is held while no claim is under way', async (test) => {
    const { groups, tell } = await routerOf(test, [tier(), lane()])
    groups.length = 0
    await tell({ type: 'reroute' })
    const told = groups.flatMap(({ routes, requests, room }) => [
      ...requests.map(({ type }) => type),
      ...(routes === undefined ? [] : [routes.places.map(({ capacity }) => capacity.jobs)]),
      ...(room.length > 0 ? ['room'] : []),
    ])
    assert.deepEqual(told, [[0, 0], 'reconcile', [4, 4]])
  })
})
