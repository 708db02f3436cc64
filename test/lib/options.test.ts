import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../lib/errors.ts'
import { duration, invalidOption, refuseUnknown, shown, TEN_YEARS_MS, wholeNumber } from '../../lib/options.ts'

describe('an option that does not exist', () => {
  it('is refused with its path and the one that was probably meant', () => {
    assert.throws(
      () => refuseUnknown({ durabilty: 'full' }, ['file', 'durability'], 'journal.'),
      (error) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'MILLRACE_UNKNOWN_OPTION')
        assert.equal(error.path, 'journal.durabilty')
        assert.match(error.message, /did you mean journal\.durability\?/)
        return true
      },
    )
    assert.throws(() => refuseUnknown({ toString: 1 }, ['file'], ''), { path: 'toString' })
    refuseUnknown({ file: 1 }, ['file'], '')
    refuseUnknown({}, [], '')
  })

  it('is told from options that are no object', () => {
    for (const options of [null, undefined, 5, 'text']) {
      assert.throws(() => refuseUnknown(options as unknown as object, [], 'retry.'), {
        code: 'MILLRACE_INVALID_OPTION',
        path: 'retry',
      })
      assert.throws(() => refuseUnknown(options as unknown as object, [], ''), { path: 'options' })
    }
  })
})

describe('a whole number', () => {
  it('is taken from the least to the most, and nothing else', () => {
    for (const value of [2, 3, 4]) assert.equal(wholeNumber(value, 2, 4, 'n'), value)
    for (const value of [1, 5, 2.5, Number.NaN, '3', null, 3n, Number.POSITIVE_INFINITY]) {
      assert.throws(() => wholeNumber(value as number, 2, 4, 'n'), { code: 'MILLRACE_INVALID_OPTION', path: 'n' })
    }
  })
})

describe('a duration', () => {
  it('is taken from nothing to ten years, and nothing else', () => {
    for (const value of [0, 0.5, TEN_YEARS_MS]) assert.equal(duration(value, 'ms'), value)
    for (const value of [-1, TEN_YEARS_MS + 1, Number.NaN, Number.POSITIVE_INFINITY, '5', undefined, 5n]) {
      assert.throws(() => duration(value as number, 'ms'), { code: 'MILLRACE_INVALID_OPTION', path: 'ms' })
    }
  })
})

describe('a value in a message', () => {
  it('is short, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        assert.ok(shown(value).length <= 500)
        assert.ok(invalidOption('a.b', value, 'another').message.length < 1_000)
      }),
    )
    assert.equal(shown('x'.repeat(1_000)).length, 82)
    assert.equal(
      shown(() => 'the whole source of it'),
      'a function',
    )
    assert.equal(shown(Symbol('x')), 'Symbol(x)')
    assert.equal(shown(Object.create(null)), 'an object')
  })
})
