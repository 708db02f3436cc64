import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceSummary, Runtime } from '../../../runtime/index.ts'
import { echo, laneHang, stubborn } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

async function placesOf(runtime: Runtime): Promise<Record<string, PlaceSummary>> {
  return Object.fromEntries((await runtime.places()).map((place) => [place.place, place]))
}

function untilThey(runtime: Runtime, wanted: (places: Record<string, PlaceSummary>) => boolean) {
  return until('the places are as wanted', () => placesOf(runtime), wanted)
}

describe('the places of a runtime', () => {
  it('say what runs where, what is in hand and what waits', async (test) => {
    const tiers = { default: { threads: 2, handJobs: 10 }, small: { threads: 1 } }
    const runtime = await startRuntime(test, { tiers })
    const ids: string[] = []
    for (let at = 0; at < 2; at++) ids.push((await runtime.enqueue(stubborn, { ledger: '/dev/null', ms: 60_000 })).id)
    await untilThey(runtime, (places) => places['default']?.running === 2)
    await runtime.enqueueMany(
      echo,
      Array.from({ length: 1_000 }, (_, value) => ({ value })),
    )
    const places = await untilThey(runtime, ({ default: tier }) => (tier?.waiting ?? 0) > 0 && tier?.offered === 0)
    assert.deepEqual(
      Object.values(places).map(({ place, kind, status }) => [place, kind, status.type]),
      [
        ['default', 'tier', 'running'],
        ['small', 'tier', 'running'],
        ['network', 'lane', 'running'],
      ],
    )
    const tier = places['default'] as PlaceSummary
    assert.deepEqual([tier.running, tier.zombies, tier.restarts], [2, 0, 0])
    assert.equal(tier.waiting + tier.inHand, 1_000)
    assert.deepEqual(new Set(tier.threads.map(({ job }) => job?.id)), new Set(ids))
    assert.deepEqual(
      tier.threads.map(({ thread, job, running }) => [thread, job?.task, running]),
      [
        [0, 'stubborn', 1],
        [1, 'stubborn', 1],
      ],
    )
    assert.deepEqual([places['small']?.waiting, places['small']?.threads[0]?.job], [0, undefined])
  })

  it('say since when', async (test) => {
    const runtime = await startRuntime(test)
    const before = Date.now()
    await runtime.enqueue(stubborn, { ledger: '/dev/null', ms: 60_000 })
    const busy = (places: Record<string, PlaceSummary>) => places['default']?.threads.find(({ running }) => running > 0)
    const first = busy(await untilThey(runtime, (places) => busy(places)?.verdict === 'waiting'))
    const second = busy(await placesOf(runtime))
    assert.equal(second?.verdict, 'waiting')
    assert.ok(Math.abs((first?.sinceAt ?? 0) - (second?.sinceAt ?? 0)) <= 1, 'as long as it holds it is the same')
    assert.ok((first?.sinceAt ?? 0) >= before && (first?.sinceAt ?? 0) <= Date.now())
  })

  it('count what was given up and goes on', async (test) => {
    const runtime = await startRuntime(test)
    const zombies = nextEvent(runtime, 'place.zombies', { timeoutMs: 20_000 })
    await runtime.enqueue(laneHang, null)
    await zombies
    assert.equal((await placesOf(runtime))['network']?.zombies, 1)
  })

  it('say that they drain', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.enqueue(stubborn, { ledger: '/dev/null', ms: 1_500 })
    await untilThey(runtime, (places) => places['default']?.running === 1)
    const stopped = runtime.stop({ graceMs: 5_000 })
    const { default: tier } = await placesOf(runtime)
    assert.deepEqual([tier?.status.type, tier?.running], ['draining', 1])
    await stopped
  })
})
