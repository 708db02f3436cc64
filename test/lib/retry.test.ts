import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TEN_YEARS_MS } from '../../lib/options.ts'
import {
  type Backoff,
  type CustomBackoffs,
  defaultRetry,
  retryDelayMs,
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
} from '../../lib/retry.ts'

const error = { name: 'Error', message: 'x' }
const attempt = fc.integer({ min: 1, max: 1_000_000 })
const ms = fc.double({ min: 0, max: TEN_YEARS_MS, noNaN: true })
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

function policyOf(backoff: Backoff, rest: Partial<RetryPolicy> = {}): RetryPolicy {
  return { attempts: Number.POSITIVE_INFINITY, backoff, ...rest }
}

function delay(backoff: Backoff, at: number, random = 1, customs: CustomBackoffs = new Map()): number | undefined {
  return retryDelayMs(policyOf(backoff), at, () => random, customs, error)
}

/** What a JavaScript caller may write, whom no compiler warns. */
function unchecked(options: unknown): RetryPolicy {
  return retryPolicy(options as RetryOptions)
}

describe('a jitter that is given as undefined', () => {
  it('is left out: the task’s own holds', () => {
    const of = (backoff: RetryPolicy['backoff']) => retryPolicy({}, { attempts: 2, backoff })
    const exponential = of({ type: 'exponential', firstMs: 10, maxMs: 20, jitter: 'none' })
    const fixed = of({ type: 'fixed', delayMs: 10, jitter: 'full' })
    const without = { jitter: undefined } as object
    assert.deepEqual(retryPolicy({ backoff: { type: 'exponential', ...without } }, exponential), exponential)
    assert.deepEqual(retryPolicy({ backoff: { type: 'fixed', delayMs: 10, ...without } }, fixed), fixed)
    assert.deepEqual(retryPolicy({ backoff: { type: 'fixed', delayMs: 10, ...without } }, exponential).backoff, {
      type: 'fixed',
      delayMs: 10,
    })
  })
})

describe('the delay before the next attempt', () => {
  it('doubles up to its bound', () => {
    const backoff = { type: 'exponential', firstMs: 100, maxMs: 1_000, jitter: 'none' } as const
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((at) => delay(backoff, at)),
      [100, 200, 400, 800, 1_000, 1_000],
    )
  })

  it('is anything from nothing to the delay with full jitter, which is the default', () => {
    const backoff = { type: 'exponential', firstMs: 100, maxMs: 1_000 } as const
    assert.deepEqual(
      [0, 0.25, 0.5, 1].map((random) => delay(backoff, 3, random)),
      [0, 100, 200, 400],
    )
  })

  it('is always the same where it is fixed, unless jitter is asked for', () => {
    assert.equal(delay({ type: 'fixed', delayMs: 70 }, 9, 0.5), 70)
    assert.equal(delay({ type: 'fixed', delayMs: 70, jitter: 'full' }, 9, 0.5), 35)
  })

  it('is the one of a list, and the last one after its end', () => {
    assert.deepEqual(
      [1, 2, 3, 99].map((at) => delay({ type: 'list', delaysMs: [5, 7] }, at)),
      [5, 7, 7, 7],
    )
  })

  it('is what a function of the runtime says', () => {
    const customs = new Map([['square', (at: number) => at ** 2]])
    assert.equal(delay({ type: 'custom', name: 'square' }, 7, 1, customs), 49)
  })

  it('is the default one where that function is missing or says nothing', () => {
    for (const customs of [new Map(), new Map([['mine', () => undefined]])]) {
      assert.equal(delay({ type: 'custom', name: 'mine' }, 3, 1, customs), 4_000)
    }
  })

  it('is a whole number within its bounds, for any attempt up to a million', () => {
    const jitter = fc.constantFrom('full' as const, 'none' as const)
    const backoff: fc.Arbitrary<{ backoff: Backoff; most: number }> = fc.oneof(
      fc.tuple(ms, ms, jitter).map(([a, b, jitter]) => {
        const [firstMs, maxMs] = [Math.min(a, b), Math.max(a, b)]
        return { backoff: { type: 'exponential', firstMs, maxMs, jitter } as const, most: maxMs }
      }),
      fc
        .tuple(ms, jitter)
        .map(([delayMs, jitter]) => ({ backoff: { type: 'fixed', delayMs, jitter } as const, most: delayMs })),
      fc
        .array(ms, { minLength: 1 })
        .map((delaysMs) => ({ backoff: { type: 'list', delaysMs } as const, most: Math.max(...delaysMs) })),
    )
    fc.assert(
      fc.property(backoff, attempt, fraction, ({ backoff, most }, at, random) => {
        const delayMs = delay(backoff, at, random) as number
        assert.ok(Number.isSafeInteger(delayMs), `${delayMs}`)
        assert.ok(delayMs >= 0 && delayMs <= Math.ceil(most))
        assert.equal(delay(backoff, at, random), delayMs, 'the same twice')
      }),
      { numRuns: 2_000 },
    )
  })

  it('never shrinks from one attempt to the next without jitter', () => {
    fc.assert(
      fc.property(ms, ms, attempt, (a, b, at) => {
        const [firstMs, maxMs] = [Math.min(a, b), Math.max(a, b)]
        const backoff = { type: 'exponential', firstMs, maxMs, jitter: 'none' } as const
        assert.ok((delay(backoff, at) as number) <= (delay(backoff, at + 1) as number))
      }),
    )
  })
})

describe('a delay of less than a millisecond', () => {
  it('is not left out', () => {
    assert.equal(delay({ type: 'fixed', delayMs: 0.4 }, 1), 1)
    assert.equal(delay({ type: 'list', delaysMs: [7.2] }, 1), 8)
  })
})

describe('the last attempt', () => {
  it('is the one that the policy says', () => {
    const policy = policyOf({ type: 'fixed', delayMs: 1 }, { attempts: 3 })
    const delays = [1, 2, 3, 4].map((at) => retryDelayMs(policy, at, () => 1, new Map(), error))
    assert.deepEqual(delays, [1, 1, undefined, undefined])
  })

  it('is the one that fails with a code to give up on', () => {
    const policy = policyOf({ type: 'fixed', delayMs: 1 }, { giveUpOn: ['E_GONE'] })
    const of = (code: string | undefined) =>
      retryDelayMs(policy, 1, () => 1, new Map(), { ...error, ...(code !== undefined && { code }) })
    assert.deepEqual([of('E_GONE'), of('E_BUSY'), of(undefined)], [undefined, 1, 1])
  })
})

describe('a retry policy', () => {
  it('is filled in from the default, and part by part from the one before', () => {
    assert.deepEqual(retryPolicy(), defaultRetry)
    const base = retryPolicy({ attempts: 9, giveUpOn: ['E_GONE'] })
    assert.deepEqual(retryPolicy({ backoff: { type: 'fixed', delayMs: 3 } }, base), {
      attempts: 9,
      backoff: { type: 'fixed', delayMs: 3 },
      giveUpOn: ['E_GONE'],
    })
  })

  it('fills in what an exponential backoff leaves out', () => {
    const { backoff } = retryPolicy({ backoff: { type: 'exponential', firstMs: 5_000_000 } })
    assert.deepEqual(backoff, { type: 'exponential', firstMs: 5_000_000, maxMs: 5_000_000, jitter: 'full' })
    assert.deepEqual(retryPolicy({ backoff: { type: 'exponential', maxMs: 500 } }).backoff, {
      type: 'exponential',
      firstMs: 500,
      maxMs: 500,
      jitter: 'full',
    })
  })

  it('fills in what a backoff leaves out from the one before, if that is of its type', () => {
    const quick = { type: 'exponential', firstMs: 100, maxMs: 60_000, jitter: 'none' } as const
    const base = retryPolicy({ backoff: quick })
    const filled = (backoff: RetryOptions['backoff']) => retryPolicy({ backoff } as RetryOptions, base).backoff
    assert.deepEqual(filled({ type: 'exponential', maxMs: 500 }), { ...quick, maxMs: 500 })
    assert.deepEqual(filled({ type: 'exponential', firstMs: 70_000 }), { ...quick, firstMs: 70_000, maxMs: 70_000 })
    assert.deepEqual(filled({ type: 'exponential', jitter: 'full' }), { ...quick, jitter: 'full' })
    const fixed = retryPolicy({ backoff: { type: 'fixed', delayMs: 9, jitter: 'full' } })
    assert.deepEqual(retryPolicy({ backoff: { type: 'exponential' } }, fixed).backoff, defaultRetry.backoff)
    assert.deepEqual(retryPolicy({ backoff: { type: 'fixed', delayMs: 3 } }, fixed).backoff, {
      type: 'fixed',
      delayMs: 3,
      jitter: 'full',
    })
    assert.deepEqual(filled({ type: 'fixed', delayMs: 3 }), { type: 'fixed', delayMs: 3 })
  })

  it('survives being stored', () => {
    const policy = retryPolicy({ attempts: 2, backoff: { type: 'custom', name: 'x' }, giveUpOn: [] })
    assert.deepEqual(JSON.parse(JSON.stringify(policy)), policy)
  })

  const bad: readonly (readonly [options: unknown, path: string, code?: string])[] = [
    [null, 'retry'],
    [{ attempts: 0 }, 'retry.attempts'],
    [{ attempts: 1_001 }, 'retry.attempts'],
    [{ attempts: 1.5 }, 'retry.attempts'],
    [{ attempts: '5' }, 'retry.attempts'],
    [{ atempts: 5 }, 'retry.atempts', 'MILLRACE_UNKNOWN_OPTION'],
    [{ giveUpOn: 'E' }, 'retry.giveUpOn'],
    [{ giveUpOn: [5] }, 'retry.giveUpOn'],
    [{ backoff: null }, 'retry.backoff.type'],
    [{ backoff: 'fixed' }, 'retry.backoff.type'],
    [{ backoff: { type: 'linear' } }, 'retry.backoff.type'],
    [{ backoff: { type: 'constructor' } }, 'retry.backoff.type'],
    [{ backoff: { type: 'fixed' } }, 'retry.backoff.delayMs'],
    [{ backoff: { type: 'fixed', delayMs: -1 } }, 'retry.backoff.delayMs'],
    [{ backoff: { type: 'fixed', delayMs: TEN_YEARS_MS + 1 } }, 'retry.backoff.delayMs'],
    [{ backoff: { type: 'fixed', delayMs: 1, maxMs: 1 } }, 'retry.backoff.maxMs', 'MILLRACE_UNKNOWN_OPTION'],
    [{ backoff: { type: 'fixed', delayMs: 1, jitter: 'half' } }, 'retry.backoff.jitter'],
    [{ backoff: { type: 'exponential', firstMs: Number.NaN } }, 'retry.backoff.firstMs'],
    [{ backoff: { type: 'exponential', firstMs: 5, maxMs: 4 } }, 'retry.backoff.maxMs'],
    [{ backoff: { type: 'list', delaysMs: [] } }, 'retry.backoff.delaysMs'],
    [{ backoff: { type: 'list', delaysMs: [1, '2'] } }, 'retry.backoff.delaysMs[1]'],
    [{ backoff: { type: 'custom', name: '' } }, 'retry.backoff.name'],
  ]
  for (const [options, path, code = 'MILLRACE_INVALID_OPTION'] of bad) {
    it(`is refused: ${JSON.stringify(options)}`, () => assert.throws(() => unchecked(options), { code, path }))
  }
})
