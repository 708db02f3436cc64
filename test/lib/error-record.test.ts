import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError, PermanentError } from '../../lib/errors.ts'

const MOST_BYTES = 16 * 1024

/** Through the journal and back, as a failed attempt goes. */
function travelled(thrown: unknown): Error {
  const record = toErrorRecord(thrown)
  const text = JSON.stringify(record)
  assert.ok(Buffer.byteLength(text) <= MOST_BYTES, `${Buffer.byteLength(text)} bytes`)
  assert.deepEqual(structuredClone(record), record)
  return fromErrorRecord(JSON.parse(text) as ErrorRecord)
}

function causesOf(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : []
}

describe('a thrown error', () => {
  it('comes back with its name, message, code, stack and fields', () => {
    const thrown = Object.assign(new RangeError('too far'), { code: 'E_FAR', limit: 5, at: { x: [1] } })
    const error = travelled(thrown)
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'RangeError')
    assert.equal(error.message, 'too far')
    assert.equal(error.stack, thrown.stack)
    assert.deepEqual(Object.fromEntries(Object.entries(error)), { code: 'E_FAR', limit: 5, at: { x: [1] } })
  })

  it('comes back as a MillraceError if it is one', () => {
    const cause = new TypeError('inner')
    const thrown = new MillraceError('MILLRACE_HARD_LIMIT', 'too long', { cause, path: 'a.b', details: { ms: 5 } })
    const error = travelled(thrown)
    assert.ok(error instanceof MillraceError)
    assert.deepEqual(
      [error.code, error.message, error.path, error.details, error.stack],
      [thrown.code, thrown.message, 'a.b', { ms: 5 }, thrown.stack],
    )
    assert.equal((error.cause as Error).name, 'TypeError')
  })

  it('is no MillraceError because it says so', () => {
    for (const code of ['MILLRACE_NO_SUCH', 'toString', '__proto__']) {
      const error = travelled(Object.assign(new Error('x'), { name: 'MillraceError', code }))
      assert.ok(!(error instanceof MillraceError))
      assert.equal((error as Error & { code: string }).code, code)
    }
  })

  it('keeps the name of a class that its reader does not have', () => {
    assert.equal(travelled(new PermanentError('no')).name, 'PermanentError')
    assert.equal(travelled(new AggregateError([new Error('a')], 'all failed')).message, 'all failed')
  })

  it('keeps five causes, and ends there where they go round', () => {
    let thrown = new Error('innermost')
    for (let level = 0; level < 9; level++) thrown = new Error(`level ${level}`, { cause: thrown })
    assert.equal(causesOf(travelled(thrown)).length, 6)
    const round = new Error('round')
    round.cause = new Error('and round', { cause: round })
    assert.equal(causesOf(travelled(round)).length, 6)
  })

  it('keeps a cause that is no error', () => {
    assert.equal((travelled(new Error('x', { cause: 'the cable' })).cause as Error).message, 'the cable')
  })

  it('loses the fields that may be secret, nested ones too, and those that are no data', () => {
    const secrets = {
      password: 1,
      accessToken: 2,
      clientSecret: 3,
      Authorization: 4,
      cookies: 5,
      request: { headers: { authorization: 'Basic x' } },
    }
    const opaque = { run: () => 1, id: 1n, symbol: Symbol('x'), nothing: undefined }
    const thrown = Object.assign(new Error('x'), secrets, opaque, { status: 401 })
    assert.deepEqual(toErrorRecord(thrown).fields, { status: 401 })
    assert.doesNotMatch(JSON.stringify(toErrorRecord({ password: 'hunter2' })), /hunter2/)
    assert.doesNotMatch(JSON.stringify(toErrorRecord(new Error('x', { cause: secrets }))), /Basic/)
  })

  it('is cut where it is long, and stays within 16 KiB however its characters are written', () => {
    for (const character of ['x', '€', '\u0000', '\ud800']) {
      const long = character.repeat(2_000_000)
      const thrown = Object.assign(new Error(long, { cause: new Error(long, { cause: new Error(long) }) }), {
        code: long,
        name: long,
        field: long,
        fields: Array.from({ length: 100 }, (_, at) => `${at}`),
      })
      assert.ok(travelled(thrown).message.length > 50)
    }
  })
})

describe('a thrown value that is no error', () => {
  const trap = () => {
    throw new Error('the trap')
  }
  const hostile = new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap })
  const values: readonly (readonly [value: unknown, message: string])[] = [
    [null, 'null'],
    [undefined, 'undefined'],
    [0, '0'],
    [-0, '0'],
    ['', ''],
    [false, 'false'],
    [10n, '10'],
    [Symbol('x'), 'Symbol(x)'],
    [{ a: 1 }, '{"a":1}'],
    [{ message: 'as an object' }, 'as an object'],
    [{ message: 5 }, '5'],
    [Object.create(null), '{}'],
    [{ toJSON: () => undefined }, 'an object'],
    [hostile, 'a value that cannot be shown'],
    [{ toString: trap, toJSON: trap }, 'a value that cannot be shown'],
  ]
  for (const [value, message] of values) {
    it(`becomes an error with a message: ${inspect(value, { depth: 0 })}`, () => {
      assert.equal(travelled(value).message, message)
    })
  }

  it('becomes one also where its getters throw', () => {
    const error = Object.defineProperties(new Error('x'), {
      stack: { get: trap },
      message: { get: trap },
      code: { get: trap },
      cause: { get: trap },
      own: { get: trap, enumerable: true },
    })
    assert.equal(travelled(error).name, 'Error')
  })

  it('becomes one; whatever it is', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (thrown) => {
          assert.ok(travelled(thrown) instanceof Error)
          assert.ok(travelled(Object.assign(new Error('x', { cause: thrown }), { own: thrown })) instanceof Error)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
