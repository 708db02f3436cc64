import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { delayKey, highestLevel, LEVELS, MOST_DELAY_MS, STEP_MS, stepsOf } from '../../../adapters/rabbitmq/delays.ts'
import { type Declaration, delayDeclarations, levelName } from '../../../adapters/rabbitmq/topology.ts'

const NAMING = { prefix: 'p.', queues: 'quorum' } as const
const QUEUES = ['feed', 'feed.deliver', 'deliver', 'mail']

/** As RabbitMQ matches the key of a topic exchange. */
function matches(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return key.length === 0
  if (first === '#') return [...key.keys(), key.length].some((at) => matches(rest, key.slice(at)))
  return key.length > 0 && (first === '*' || first === key[0]) && matches(rest, key.slice(1))
}

/** Where a message comes out, and how long its queues have held it: what the broker does with these declarations. */
function travel(declared: readonly Declaration[], entry: string, key: string): { queue: string; heldMs: number }[] {
  const words = key.split('.')
  const queuesAt = (exchange: string): readonly string[] => {
    const found = new Set<string>()
    for (const each of declared) {
      if (each.type === 'bind-queue' && each.exchange === exchange && matches(each.key.split('.'), words)) {
        found.add(each.queue)
      }
      if (each.type === 'bind-exchange' && each.from === exchange && matches(each.key.split('.'), words)) {
        for (const queue of queuesAt(each.to)) found.add(queue)
      }
    }
    return [...found]
  }
  return queuesAt(entry).flatMap((queue) => {
    const level = declared.find((each) => each.type === 'queue' && each.name === queue)
    if (level?.type !== 'queue') return [{ queue, heldMs: 0 }]
    const heldMs = Number(level.arguments['x-message-ttl'])
    return travel(declared, String(level.arguments['x-dead-letter-exchange']), key).map((next) => ({
      queue: next.queue,
      heldMs: heldMs + next.heldMs,
    }))
  })
}

const specs = QUEUES.map((name) => ({ name, kind: 'work' as const }))

describe('the levels of delays', () => {
  it('bring a message out once, at its own queue, after exactly its steps', () => {
    const all = delayDeclarations(NAMING, LEVELS - 1, specs)
    const delays = fc.oneof(fc.integer({ min: 1, max: MOST_DELAY_MS }), fc.integer({ min: 1, max: 100_000 }))
    fc.assert(
      fc.property(delays, fc.constantFrom(...QUEUES), (delayMs, name) => {
        const steps = stepsOf(delayMs)
        const queue = `p.${name}`
        const arrivals = travel(all, levelName(NAMING, highestLevel(steps)), delayKey(steps, queue))
        assert.deepEqual(arrivals, [{ queue, heldMs: steps * STEP_MS }])
        assert.ok(steps * STEP_MS >= delayMs && steps * STEP_MS < delayMs + STEP_MS)
      }),
      { numRuns: 300 },
    )
  })

  it('need no level above the highest bit of the delay', () => {
    for (const delayMs of [1, 1_000, 1_001, 59_000, 60_000, 3_600_000, 86_400_000]) {
      const steps = stepsOf(delayMs)
      const declared = delayDeclarations(NAMING, highestLevel(steps), specs)
      const arrivals = travel(declared, levelName(NAMING, highestLevel(steps)), delayKey(steps, 'p.feed'))
      assert.deepEqual(arrivals, [{ queue: 'p.feed', heldMs: steps * STEP_MS }])
    }
  })

  it('hold the longest delay with all of them', () => {
    assert.equal(highestLevel(stepsOf(MOST_DELAY_MS)), LEVELS - 1)
    assert.equal(delayKey(stepsOf(MOST_DELAY_MS), 'q'), `${'1.'.repeat(LEVELS)}q`)
  })
})
