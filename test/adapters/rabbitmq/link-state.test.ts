import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  FIRST_RETRY_MS,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  LONGEST_RETRY_MS,
  NEW_LINK,
  STEADY_MS,
  step,
} from '../../../adapters/rabbitmq/link-state.ts'
import { MillraceError } from '../../../lib/errors.ts'

const error = new MillraceError('MILLRACE_BROKER_LOST', 'lost in a test')

function failed(attempt: number, atMs = 0, roll = 1): LinkInput {
  return { type: 'failed', attempt, error, atMs, roll }
}

/** Plays inputs one after another; returns the last state and all effects. */
function play(nodes: number, ...inputs: readonly LinkInput[]): { state: LinkState; effects: readonly LinkEffect[] } {
  let state = NEW_LINK
  const effects: LinkEffect[] = []
  for (const input of inputs) {
    const next = step(state, input, nodes)
    state = next.state
    effects.push(...next.effects)
  }
  return { state, effects }
}

function up(attempt: number, atMs = 0): readonly LinkInput[] {
  return [
    { type: 'connected', attempt },
    { type: 'prepared', attempt, atMs },
  ]
}

const OPEN: LinkInput = { type: 'open' }
const CLOSE: LinkInput = { type: 'close' }

describe('the state of a link', () => {
  it('goes from open over connected and prepared to up', () => {
    const { state, effects } = play(1, OPEN, ...up(1, 7))
    assert.deepEqual(state, { type: 'up', attempt: 1, node: 0, failures: 0, upAtMs: 7, flow: 'free' })
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['connect', 'prepare', 'begin'],
    )
  })

  it('lets go of what is lost, says so, waits, and tries the next node', () => {
    const { state, effects } = play(3, OPEN, ...up(1), failed(1), { type: 'retry', attempt: 1 })
    assert.deepEqual(state, { type: 'connecting', attempt: 2, node: 1, failures: 1 })
    assert.deepEqual(effects.slice(3), [
      { type: 'drop', attempt: 1 },
      { type: 'let-go', error },
      { type: 'tell-down', node: 0, error, retryMs: FIRST_RETRY_MS },
      { type: 'wait', attempt: 1, delayMs: FIRST_RETRY_MS },
      { type: 'connect', attempt: 2, node: 1 },
    ])
  })

  it('waits twice as long after each round of all nodes, and never longer than the longest', () => {
    const delays: number[] = []
    let state = step(NEW_LINK, OPEN, 2).state
    for (let attempt = 1; attempt <= 40; attempt++) {
      const next = step(state, failed(attempt), 2)
      for (const effect of next.effects) if (effect.type === 'wait') delays.push(effect.delayMs)
      state = step(next.state, { type: 'retry', attempt }, 2).state
    }
    assert.deepEqual(
      delays.slice(0, 6),
      [1, 1, 2, 2, 4, 4].map((times) => times * FIRST_RETRY_MS),
    )
    assert.equal(delays.at(-1), LONGEST_RETRY_MS)
  })

  it('begins the waiting anew only after a connection that lasted', () => {
    const flapping = play(1, OPEN, failed(1), { type: 'retry', attempt: 1 }, ...up(2, 0), failed(2, STEADY_MS - 1))
    assert.deepEqual(flapping.state.type === 'waiting' && flapping.state.failures, 2)
    const steady = play(1, OPEN, failed(1), { type: 'retry', attempt: 1 }, ...up(2, 0), failed(2, STEADY_MS))
    assert.deepEqual(steady.state.type === 'waiting' && steady.state.failures, 1)
  })

  it('tells of a block once, and forgets it with the connection', () => {
    const block: LinkInput = { type: 'blocked', attempt: 1, reason: 'memory' }
    const { effects } = play(1, OPEN, ...up(1), block, block, { type: 'unblocked', attempt: 1 })
    assert.deepEqual(effects.slice(3), [
      { type: 'block', node: 0, reason: 'memory' },
      { type: 'unblock', node: 0 },
    ])
    const { state } = play(1, OPEN, ...up(1), block, failed(1), { type: 'retry', attempt: 1 }, ...up(2))
    assert.deepEqual(state.type === 'up' && state.flow, 'free')
  })

  it('ends as it should from up, and at once from anywhere else', () => {
    const ends = [
      play(1, OPEN, ...up(1), CLOSE),
      play(1, OPEN, CLOSE),
      play(1, OPEN, failed(1), CLOSE),
      play(1, CLOSE),
    ].map(({ effects }) => effects.at(-1)?.type)
    assert.deepEqual(ends, ['hang-up', 'drop', 'stop-waiting', undefined])
  })
})

const inputs = fc.array(
  fc.oneof(
    fc.constant(OPEN),
    fc.record({
      type: fc.constantFrom('connected', 'unblocked', 'retry'),
      attempt: fc.nat(6),
    }) as fc.Arbitrary<LinkInput>,
    fc.record({ type: fc.constant('prepared' as const), attempt: fc.nat(6), atMs: fc.nat(50_000) }),
    fc.record({ type: fc.constant('blocked' as const), attempt: fc.nat(6), reason: fc.constant('memory') }),
    fc
      .record({ attempt: fc.nat(6), atMs: fc.nat(50_000), roll: fc.double({ min: 0, max: 1, noNaN: true }) })
      .map(({ attempt, atMs, roll }) => failed(attempt, atMs, roll)),
    { weight: 1, arbitrary: fc.constant(CLOSE) },
  ),
  { maxLength: 60 },
)

describe('whatever happens to a link', () => {
  const played = (check: (effects: readonly LinkEffect[], state: LinkState, nodes: number) => void) => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 1, max: 4 }), (happenings, nodes) => {
        const { effects, state } = play(nodes, OPEN, ...happenings)
        check(effects, state, nodes)
      }),
      { numRuns: 2_000 },
    )
  }

  it('it has one connection at a time: each is dropped or hung up before the next is made', () => {
    played((effects) => {
      let open = 0
      for (const { type } of effects) {
        if (type === 'connect') assert.equal(++open, 1)
        if (type === 'drop' || type === 'hang-up') assert.equal(--open, 0)
      }
    })
  })

  it('its user lets go of exactly what it has begun, and begins only what is prepared', () => {
    played((effects) => {
      let state: 'apart' | 'preparing' | 'begun' = 'apart'
      for (const { type } of effects) {
        if (type === 'connect') state = 'apart'
        if (type === 'prepare') state = 'preparing'
        if (type === 'begin') {
          assert.equal(state, 'preparing')
          state = 'begun'
        }
        if (type === 'let-go') {
          assert.equal(state, 'begun')
          state = 'apart'
        }
        if (type === 'block' || type === 'unblock') assert.equal(state, 'begun')
      }
    })
  })

  it('what belongs to a try of the past changes nothing', () => {
    played((_, state, nodes) => {
      if (state.type === 'new' || state.type === 'closed') return
      const past = state.attempt - 1
      const late: readonly LinkInput[] = [
        failed(past),
        ...up(past),
        { type: 'blocked', attempt: past, reason: 'memory' },
        { type: 'unblocked', attempt: past },
        { type: 'retry', attempt: past },
      ]
      for (const input of late) assert.deepEqual(step(state, input, nodes), { state, effects: [] })
    })
  })

  it('it does nothing any more once it is closed', () => {
    played((_, state, nodes) => {
      const closed = step(state, CLOSE, nodes).state
      for (const input of [OPEN, failed(1), ...up(1), { type: 'retry', attempt: 1 } as const]) {
        assert.deepEqual(step(closed, input, nodes), { state: closed, effects: [] })
      }
    })
  })

  it('it is never stuck: it connects, prepares, is up, waits for a timer that is set, or is closed', () => {
    played((effects, state) => {
      const last = effects.filter(({ type }) => type !== 'block' && type !== 'unblock').at(-1)?.type
      const expected = {
        new: [],
        connecting: ['connect'],
        preparing: ['prepare'],
        up: ['begin'],
        waiting: ['wait'],
        closed: ['hang-up', 'drop', 'stop-waiting'],
      }[state.type]
      assert.ok((expected as readonly (string | undefined)[]).includes(last), `${state.type} after ${last}`)
    })
  })

  it('it waits for no longer than the longest, goes through the nodes in turn, and numbers its tries upwards', () => {
    played((effects, _, nodes) => {
      const tries = effects.filter((effect) => effect.type === 'connect')
      tries.forEach(({ attempt, node }, at) => {
        assert.equal(attempt, at + 1)
        assert.equal(node, at % nodes)
      })
      for (const effect of effects) {
        if (effect.type === 'wait')
          assert.ok(effect.delayMs >= FIRST_RETRY_MS / 2 && effect.delayMs <= LONGEST_RETRY_MS)
      }
    })
  })
})
