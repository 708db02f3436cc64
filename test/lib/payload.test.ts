import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../lib/errors.ts'
import { decodePayload, encodePayload } from '../../lib/payload.ts'

const LIMIT = 1024 * 1024

/** That many arrays in each other. */
function nested(depth: number, inner: unknown = []): unknown {
  let value = inner
  for (let level = 1; level < depth; level++) value = [value]
  return value
}

function roundTrip(value: unknown): unknown {
  return decodePayload(encodePayload(value, 'input'))
}

function assertRefused(value: unknown, path: string, ...words: readonly string[]): void {
  assert.throws(
    () => encodePayload(value, 'input'),
    (error) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, 'MILLRACE_OPAQUE_INPUT')
      assert.equal(error.path, path)
      for (const word of words) assert.ok(error.message.includes(word), `${word} is not in: ${error.message}`)
      return true
    },
  )
}

describe('a stored payload', () => {
  it('is not read when it is larger than any that was accepted', () => {
    const largest = JSON.stringify('x'.repeat(LIMIT - 2))
    assert.equal((decodePayload(largest) as string).length, LIMIT - 2)
    assert.throws(() => decodePayload(`${largest} `), { code: 'MILLRACE_PAYLOAD_CORRUPT' })
  })
})

describe('an accepted payload', () => {
  const texts = {
    lone: '\ud800',
    other: '\udfff\ud800',
    line: '\u2028\u2029',
    control: '\u0000\u001f\u007f',
    bom: '\ufeff',
  }
  const values = {
    'every primitive': { a: null, b: true, c: 0, d: -1.5e-300, e: Number.MAX_SAFE_INTEGER, f: '' },
    'texts that are no text': { ...texts, '\ud800': 1, '\u0000': 2, '': 3 },
    'keys that look like something else': {
      constructor: 1,
      toString: 2,
      hasOwnProperty: null,
      prototype: [],
      length: 7,
    },
    'a toJSON that is no function': { toJSON: 'x' },
    'numbers as keys': { 2: 'b', 1: 'a' },
    'one object twice': (() => {
      const shared = { x: [1] }
      return { a: shared, b: [shared, shared] }
    })(),
  }
  for (const [what, value] of Object.entries(values)) {
    it(`comes back deep-equal: ${what}`, () => assert.deepStrictEqual(roundTrip(value), value))
  }

  it('comes back deep-equal, or is refused with a code and a path; whatever it is', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    let accepted = 0
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
      maxDepth: 3,
    })
    const value = fc.oneof(anything, fc.jsonValue({ noUnicodeString: false }), fc.object({ withBigInt: false }))
    fc.assert(
      fc.property(value, (value) => {
        try {
          const decoded = roundTrip(value)
          accepted++
          assert.deepStrictEqual(decoded, value)
        } catch (error) {
          if (!(error instanceof MillraceError)) throw error
          assert.equal(error.code, 'MILLRACE_OPAQUE_INPUT')
          assert.match(error.path ?? '', /^input/)
        }
      }),
      { numRuns: 100_000 },
    )
    assert.ok(accepted > 20_000, `${accepted} were accepted`)
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before)
    assert.equal(Object.getPrototypeOf({}), Object.prototype)
  })

  it('is nothing where nothing is given', () => {
    assert.equal(encodePayload(undefined, 'output'), '')
    assert.equal(decodePayload(''), undefined)
  })
})

describe('a refused payload', () => {
  const cyclic: { self?: unknown } = {}
  cyclic.self = { inner: [cyclic] }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const trap = () => assert.fail('a trap was run')
  const throws = new Proxy({}, { ownKeys: trap, get: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap })
  const lies = new Proxy({ a: 1 }, { get: () => () => undefined })
  const getter = Object.defineProperty({}, 'x', { enumerable: true, get: () => assert.fail('the getter was run') })
  const hiddenJson = Object.defineProperty({}, 'toJSON', { enumerable: true, get: () => assert.fail('it was run') })
  const withGetter = Object.defineProperty([1, 2], 1, { get: () => assert.fail('the getter was run') })
  const hiddenBehind = Object.assign(Object.defineProperty([1], 1, { value: 2 }), { x: 3 })
  const hiddenAnswer = Object.defineProperty([1], 'toJSON', { value: () => assert.fail('it was run') })
  const tagged = Object.assign([1], { extra: 2 })
  const sparse = [1, , 3] // eslint-disable-line no-sparse-arrays
  const disguised = Object.assign([, 1], { x: 2 }) // eslint-disable-line no-sparse-arrays
  const cases: readonly (readonly [what: string, value: unknown, path: string, word: string])[] = [
    ['undefined in an object', { a: { b: undefined } }, 'input.a.b', 'undefined'],
    ['undefined in an array', [1, undefined], 'input[1]', 'undefined'],
    ['a function', { run: () => 1 }, 'input.run', 'a function'],
    ['a class', { type: Map }, 'input.type', 'a function'],
    ['a symbol', [Symbol('x')], 'input[0]', 'a symbol'],
    ['a symbol as a key', { a: { [Symbol('x')]: 1 } }, 'input.a', 'symbol as a key'],
    ['a bigint', { id: 1n }, 'input.id', 'value.toString()'],
    ['NaN', { x: Number.NaN }, 'input.x', 'NaN'],
    ['infinity', [Number.NEGATIVE_INFINITY], 'input[0]', '-Infinity'],
    ['-0', { x: -0 }, 'input.x', '-0'],
    ['a Date', { at: new Date(0) }, 'input.at', 'toISOString'],
    ['a Map', new Map(), 'input', 'Object.fromEntries'],
    ['a Set', { 'of tags': new Set() }, 'input["of tags"]', '[...set]'],
    ['bytes', { bytes: new Uint8Array(1) }, 'input.bytes', 'an array of numbers'],
    ['a Buffer', { bytes: Buffer.from('x') }, 'input.bytes', 'base64'],
    ['an Error', [new RangeError('x')], 'input[0]', 'RangeError'],
    ['a promise', { a: Promise.resolve(1) }, 'input.a', 'await'],
    ['a boxed number', { n: Object(1) }, 'input.n', 'Number'],
    ['a boxed text', { s: Object('s') }, 'input.s', 'String'],
    ['an instance of a class', new (class Point {})(), 'input', 'Point'],
    ['an array of a class of its own', [new (class List extends Array {})()], 'input[0]', 'List'],
    ['an object without a prototype', { a: Object.create(null) }, 'input.a', 'without a prototype'],
    ['a getter, which is not run', { a: getter }, 'input.a.x', 'a getter'],
    ['a hidden property', Object.defineProperty({}, 'x', { value: 1 }), 'input.x', 'hidden'],
    ['a toJSON function', { a: { toJSON: () => 1 } }, 'input.a.toJSON', 'toJSON'],
    ['a toJSON that is a getter', hiddenJson, 'input.toJSON', 'a getter'],
    ['a key __proto__', JSON.parse('{"a":{"__proto__":{"admin":true}}}'), 'input.a.__proto__', '__proto__'],
    ['a hole', sparse, 'input[1]', 'a hole'],
    ['a hole behind a named property', disguised, 'input[0]', 'a hole'],
    ['a named property of an array', { list: tagged }, 'input.list.extra', 'named property'],
    ['a getter in an array, which is not run', { list: withGetter }, 'input.list[1]', 'a getter'],
    ['a setter in an array', [Object.defineProperty([0], 0, { set: () => {} })], 'input[0][0]', 'a getter'],
    ['a hidden element', Object.defineProperty([1], 1, { value: 2 }), 'input[1]', 'hidden'],
    ['a hidden element behind a named property', hiddenBehind, 'input.x', 'named property'],
    ['a hidden toJSON function of an array', hiddenAnswer, 'input.toJSON', 'named property'],
    ['a cycle', { a: cyclic }, 'input.a.self.inner[0]', 'part of itself'],
    [
      'arguments',
      (function () {
        return arguments
      })(),
      'input',
      'symbol',
    ], // eslint-disable-line prefer-rest-params
    ['a proxy', [new Proxy({ a: 1 }, {})], 'input[0]', 'a proxy'],
    ['a proxy of an array', { a: new Proxy([1], {}) }, 'input.a', 'a proxy'],
    ['a proxy that answers something else', { a: lies }, 'input.a', 'a proxy'],
    ['a proxy that was revoked', { a: revoked.proxy }, 'input.a', 'a proxy'],
    ['a proxy that throws', { a: throws }, 'input.a', 'a proxy'],
    ['an object whose class cannot be asked', { a: Object.create(throws) }, 'input', 'cannot be read'],
  ]
  for (const [what, value, path, word] of cases) {
    it(`says where it is and what to do: ${what}`, () => assertRefused(value, path, word, 'expected'))
  }

  it('is a proxy wherever it is and whatever it answers, and none of it is run', () => {
    const answer = fc.constantFrom(
      undefined,
      null,
      1,
      () => undefined,
      () => 1,
      trap,
    )
    const inside = fc.constantFrom<(value: unknown) => unknown>(
      (value) => value,
      (value) => [value],
      (value) => ({ a: { b: value } }),
    )
    fc.assert(
      fc.property(fc.oneof(fc.object(), fc.array(fc.jsonValue())), answer, inside, (target, answer, inside) => {
        const proxy = new Proxy(target as object, { get: () => answer })
        assert.throws(() => encodePayload(inside(proxy), 'input'), {
          code: 'MILLRACE_OPAQUE_INPUT',
          message: /a proxy/,
        })
      }),
    )
  })

  for (const shared of [Object.prototype, Array.prototype]) {
    const what = shared === Object.prototype ? 'an object' : 'an array'
    it(`is ${what} that inherits a toJSON, which would answer in its place`, () => {
      Object.defineProperty(shared, 'toJSON', { configurable: true, value: () => undefined })
      try {
        const value = shared === Object.prototype ? { a: 1 } : { list: [1] }
        const path = shared === Object.prototype ? 'input' : 'input.list'
        assertRefused(value, path, 'inherits a toJSON', 'take it out there')
      } finally {
        Reflect.deleteProperty(shared, 'toJSON')
      }
    })
  }

  it('has the code and the path of what it was to be', () => {
    for (const kind of ['output', 'progress', 'log fields'] as const) {
      assert.throws(() => encodePayload({ x: 1n }, kind), { code: 'MILLRACE_OPAQUE_OUTPUT', path: `${kind}.x` })
    }
  })
})

describe('the limits of a payload', () => {
  it('are 64 objects in each other', () => {
    for (const depth of [63, 64]) assert.deepStrictEqual(roundTrip(nested(depth)), nested(depth))
    assert.deepStrictEqual(roundTrip(nested(64, ['x'])), nested(64, ['x']))
    assertRefused(nested(65), `input${'[0]'.repeat(64)}`, 'deeper than 64')
    assertRefused(nested(100_000), `input${'[0]'.repeat(64)}`, 'deeper than 64')
  })

  for (const [what, character] of [
    ['one byte', 'x'],
    ['two', 'é'],
    ['three', '€'],
    ['an escape', '\n'],
  ] as const) {
    it(`are 1 MiB of UTF-8, where a character is ${what}`, () => {
      const width = Buffer.byteLength(JSON.stringify(character)) - 2
      const longest = character.repeat(Math.floor((LIMIT - 2) / width))
      const padding = 'x'.repeat(LIMIT - 2 - longest.length * width)
      for (const shorter of [0, 1].slice(0, padding.length + 1)) {
        const text = longest + padding.slice(shorter)
        assert.equal(Buffer.byteLength(encodePayload(text, 'input')), LIMIT - Math.min(shorter, padding.length))
      }
      assertRefused(`${longest}${padding}x`, 'input', 'too large', `${LIMIT + 1} bytes`)
    })
  }

  it('are the same for many values as for long ones', () => {
    const most = Array.from({ length: (LIMIT - 2) / 2 }, () => 1)
    assert.equal(encodePayload(most, 'input').length, LIMIT - 1)
    assertRefused([...most, 1], 'input', 'too large')
    const keys = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`key ${at}`, 1]))
    assertRefused(keys, 'input', 'too large')
  })

  it('are found at once in few values that are referred to over and over', () => {
    let doubled: unknown = 'x'
    for (let level = 0; level < 60; level++) doubled = [doubled, doubled]
    assertRefused(doubled, 'input', 'too large')
    const long = 'x'.repeat(1_000_000)
    assertRefused(
      Array.from({ length: 10_000 }, () => long),
      'input',
      'too large',
    )
  })
})

describe('a stored text', () => {
  it('is decoded, or refused with a code; whatever it is', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '__proto__', '\\u005f', 'null', '1', '\\', ' ')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((each) => each.join('')),
      fc.json(),
    )
    fc.assert(
      fc.property(text, (text) => {
        try {
          decodePayload(text)
        } catch (error) {
          assert.ok(error instanceof MillraceError)
          assert.equal(error.code, 'MILLRACE_PAYLOAD_CORRUPT')
        }
      }),
      { numRuns: 20_000 },
    )
  })

  it('may not bring a __proto__ along, however it is spelt and wherever it is', () => {
    for (const key of ['__proto__', '\\u005f_proto__', '__pr\\u006Fto__', '\\u005F\\u005f\\u0070roto__']) {
      for (const text of [`{"${key}":{"admin":true}}`, `[{"a":{"${key}":1}}]`]) {
        assert.throws(() => decodePayload(text), { code: 'MILLRACE_PAYLOAD_CORRUPT' }, text)
      }
    }
    assert.deepEqual(decodePayload('["__proto__","\\u0000"]'), ['__proto__', '\0'])
    assert.equal(({} as { admin?: unknown }).admin, undefined)
  })

  it('does not get through by being deep', () => {
    const deep = `${'['.repeat(200_000)}"__proto__"${']'.repeat(200_000)}`
    assert.throws(() => decodePayload(deep), { code: 'MILLRACE_PAYLOAD_CORRUPT' })
  })
})
