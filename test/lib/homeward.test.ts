import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PUBLICATIONS } from '../../lib/envelope.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import {
  decodeOutcomes,
  encodeOutcome,
  encodeSuccess,
  type HomewardOutcome,
  homewardTransitions,
  isEnd,
} from '../../lib/homeward.ts'

const DONE: HomewardOutcome = {
  id: 'abc123-1',
  task: 'feed.deliver',
  claim: PUBLICATIONS,
  transition: 'succeed',
  attempt: 1,
  output: '{"delivered":3}',
}

const outcomes: fc.Arbitrary<HomewardOutcome> = fc.record(
  {
    id: fc.constant('abc123-1'),
    task: fc.constant('feed.deliver'),
    claim: fc.nat().map((claims) => PUBLICATIONS + claims),
    transition: fc.constantFrom(...homewardTransitions),
    attempt: fc.nat({ max: 1e9 }),
    keepMs: fc.nat(),
    keeps: fc.constant('output' as const),
    nextInMs: fc.nat(),
    ranMs: fc.double({ min: 0, max: 1e9, noNaN: true }).map((ms) => Math.abs(ms)),
    record: fc.constant({
      claim: 1,
      attempt: 1,
      endedAt: 5,
      type: 'failed' as const,
      error: { name: 'Error', message: 'no luck', fields: { code: 7 } },
      log: [{ at: 1.5, level: 'info' as const, message: 'on it', fields: { page: 1 } }],
    }),
    output: fc.json().map((text) => text.replaceAll('\n', ' ')),
  },
  { noNullPrototype: true, requiredKeys: ['id', 'task', 'claim', 'transition', 'attempt', 'output'] },
)

function bodyOf(...all: readonly HomewardOutcome[]): Uint8Array {
  return Buffer.from(all.map(encodeOutcome).join(''))
}

function altered(change: Record<string, unknown>): Uint8Array {
  const { output, ...header } = DONE
  return Buffer.from(`${JSON.stringify({ ...header, ...change })}\n${output}\n`)
}

describe('outcomes as a message', () => {
  it('are read as they were written, many to a message', () => {
    const many = fc.array(outcomes, { minLength: 1, maxLength: 5 })
    fc.assert(fc.property(many, (all) => assert.deepEqual(decodeOutcomes(bodyOf(...all)), all)))
  })

  it('are the same text for a plain success, which is made with less', () => {
    fc.assert(
      fc.property(outcomes, ({ id, task, claim, attempt, ranMs, output }) => {
        const known = { id, task, claim, transition: 'succeed', attempt } as const
        const full = { ...known, ...(ranMs !== undefined && { ranMs }), output }
        assert.equal(encodeSuccess({ ...known, ranMs, output }), encodeOutcome(full))
      }),
    )
  })

  it('carry any error that a record can be made of', () => {
    const error = toErrorRecord(Object.assign(new TypeError('broken', { cause: new Error('deep') }), { status: 500 }))
    const record = { claim: 1, attempt: 1, endedAt: 5, type: 'failed', error } as const
    assert.deepEqual(decodeOutcomes(bodyOf({ ...DONE, transition: 'die', record }))[0]?.record, record)
  })

  it('are ends, or say that a job goes on', () => {
    assert.deepEqual(
      homewardTransitions.filter((transition) => !isEnd({ transition })),
      ['retry', 'snooze'],
    )
  })

  it('are refused with the path of what is wrong', () => {
    const wrong: readonly [Record<string, unknown>, string][] = [
      [{ id: '' }, 'id'],
      [{ claim: PUBLICATIONS - 1 }, 'claim'],
      [{ transition: 'claim' }, 'transition'],
      [{ keepMs: 1e18 }, 'keepMs'],
      [{ keeps: 'everything' }, 'keeps'],
      [{ ranMs: -1 }, 'ranMs'],
      [{ record: [] }, 'record'],
      [{ record: { claim: 1, attempt: 1, endedAt: 1, type: 'lost' } }, 'record.type'],
      [{ record: { claim: 1, attempt: 1, endedAt: 1, type: 'failed', error: { name: 7 } } }, 'record.error.name'],
      [{ record: { claim: 1, attempt: 1, endedAt: 1, type: 'failed', log: 'x' } }, 'record.log'],
    ]
    for (const [change, path] of wrong) {
      assert.throws(
        () => decodeOutcomes(altered(change)),
        { code: 'MILLRACE_MESSAGE_MALFORMED', path },
        JSON.stringify(change),
      )
    }
  })

  it('are refused where a cause has causes without end', () => {
    let error: Record<string, unknown> = { name: 'Error', message: 'the first' }
    for (let depth = 0; depth < 100; depth++) error = { name: 'Error', message: 'next', cause: error }
    const record = { claim: 1, attempt: 1, endedAt: 1, type: 'failed', error }
    assert.throws(() => decodeOutcomes(altered({ record })), { code: 'MILLRACE_MESSAGE_MALFORMED' })
  })

  it('are refused and never crash for any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map((text) => Buffer.from(`${text}\nnull\n`)),
    )
    fc.assert(
      fc.property(bytes, (body) => {
        assert.throws(() => decodeOutcomes(body), { code: 'MILLRACE_MESSAGE_MALFORMED' })
      }),
    )
    for (const body of [
      Buffer.alloc(1024 * 1024, 0x0a),
      bodyOf(...Array.from({ length: 201 }, () => DONE)),
      Buffer.of(),
    ]) {
      assert.throws(() => decodeOutcomes(body), { path: 'body' })
    }
  })
})
