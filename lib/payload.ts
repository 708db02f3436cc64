import { isProxy } from 'node:util/types'
import { MillraceError } from './errors.ts'

/** What of a job travels as text: one string, made once, from the caller to the journal, the thread and the broker. */

const MAX_DEPTH = 64
const MAX_BYTES = 1024 * 1024

/** What is encoded, which decides the code of a refusal and begins its path. */
export type PayloadKind = 'input' | 'output' | 'progress' | 'log fields'

/**
 * Encodes a self-contained JSON value. What it accepts decodes to a deep-equal value; all else is refused with
 * `MILLRACE_OPAQUE_INPUT` (or `…_OUTPUT`), the path of the value and the way out. `undefined` at the top is ''.
 */
export function encodePayload(value: unknown, kind: PayloadKind): string {
  if (value === undefined) return ''
  left = MAX_BYTES
  const plain = isPlain(value, 0)
  // A few values that refer to each other many times are a text without end: beyond the limit nobody looks further.
  if (left < 0) throw tooLarge(kind, `more than ${MAX_BYTES}`)
  if (!plain) refuse(value, kind)
  const text = flat(JSON.stringify(value))
  if (text.length > MAX_BYTES / 3 && Buffer.byteLength(text) > MAX_BYTES) {
    throw tooLarge(kind, `${Buffer.byteLength(text)}`)
  }
  return text
}

/**
 * The V8 of Node 20 leaves a text of some length in pieces until somebody reads a character of it. In one piece it is
 * a quarter smaller and one object instead of five, which counts where many callers wait: the collector of young objects
 * copies what they hold.
 */
function flat(text: string): string {
  text.charCodeAt(0)
  return text
}

/** Throws `MILLRACE_PAYLOAD_CORRUPT` for anything that `encodePayload` cannot have written; runs nothing. */
export function decodePayload(text: string): unknown {
  if (text === '') return undefined
  if (text.length > MAX_BYTES) {
    throw new MillraceError(
      'MILLRACE_PAYLOAD_CORRUPT',
      `a stored payload is too large; got over ${text.length} bytes, expected at most ${MAX_BYTES}; ` +
        'look at who else writes to the journal',
    )
  }
  try {
    // An own `__proto__` would pollute whoever copies it. Only where the text can have one, escaped perhaps, is it worth a
    // second look.
    if (text.includes('__proto__') || text.includes('\\u00')) return JSON.parse(text, refuseProto)
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError(
      'MILLRACE_PAYLOAD_CORRUPT',
      `a stored payload is no JSON; got ${JSON.stringify(text.slice(0, 40))}; look at who else writes to the journal`,
      { cause: error },
    )
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key !== '__proto__') return value
  throw new MillraceError(
    'MILLRACE_PAYLOAD_CORRUPT',
    'a stored payload has a key __proto__, which encoding refuses; look at who else writes to the journal',
  )
}

/** How many characters the text may still have, each value and name that was looked at counted with the least it needs. */
let left = 0

/**
 * The quick look that nearly every payload passes: no path is built and nothing allocated. Cycles end at the depth.
 * A class instance, `Date` and `Map` included, is told by its prototype. Nothing of the value's own is run: a proxy may
 * answer what it likes, and something else to whoever writes the text.
 */
function isPlain(value: unknown, depth: number): boolean {
  if (--left < 0) return false
  switch (typeof value) {
    case 'string':
      left -= value.length
      return true
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && (value !== 0 || !Object.is(value, -0))
    case 'object':
      if (value === null) return true
      if (depth >= MAX_DEPTH || isProxy(value)) return false
      return Array.isArray(value) ? isPlainArray(value, depth) : isPlainObject(value, depth)
    default:
      return false
  }
}

/** Costs a third of the property's description, of which nothing else is needed here. */
const lookupGetter = (Object.prototype as unknown as { __lookupGetter__(this: object, name: number): unknown })
  .__lookupGetter__

function isPlainArray(array: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype || 'toJSON' in array) return false
  const { length } = array
  const keys = Object.keys(array)
  // Indices come first and in order: where the last of so many keys is the last index they are all there, and nothing else.
  if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) return false
  if (Object.getOwnPropertySymbols(array).length > 0) return false
  for (let at = 0; at < length; at++) {
    // What has only a setter is undefined.
    if (lookupGetter.call(array, at) !== undefined || !isPlain(array[at], depth + 1)) return false
  }
  return true
}

function isPlainObject(object: object, depth: number): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype || 'toJSON' in Object.prototype) return false
  if (Object.getOwnPropertySymbols(object).length > 0) return false
  const names = Object.getOwnPropertyNames(object)
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string
    left -= name.length
    const property = Object.getOwnPropertyDescriptor(object, name) as PropertyDescriptor
    if (!('value' in property) || property.enumerable !== true) return false
    if (name === '__proto__' || (name === 'toJSON' && typeof property.value === 'function')) return false
    if (!isPlain(property.value, depth + 1)) return false
  }
  return true
}

interface Finding {
  readonly path: string
  readonly what: string
  readonly fix: string
}

/** The second, thorough look: only taken to say what is wrong and where. */
function refuse(value: unknown, kind: PayloadKind): never {
  const { path, what, fix } = tryFind(value, kind) ?? unreadable(kind)
  throw new MillraceError(codeOf(kind), `${path} is ${what}; expected a self-contained JSON value; ${fix}`, { path })
}

function unreadable(path: string): Finding {
  return { path, what: 'a value that cannot be read', fix: 'pass plain data' }
}

function tryFind(value: unknown, path: string): Finding | undefined {
  try {
    return find(value, path, 0, [])
  } catch {
    return undefined
  }
}

function codeOf(kind: PayloadKind): 'MILLRACE_OPAQUE_INPUT' | 'MILLRACE_OPAQUE_OUTPUT' {
  return kind === 'input' ? 'MILLRACE_OPAQUE_INPUT' : 'MILLRACE_OPAQUE_OUTPUT'
}

function find(value: unknown, path: string, depth: number, parents: readonly object[]): Finding | undefined {
  if (typeof value !== 'object' || value === null) return findScalar(value, path)
  if (isProxy(value)) return { path, what: 'a proxy', fix: 'pass the plain data that it stands for' }
  if (parents.includes(value)) return { path, what: 'part of itself', fix: 'pass ids instead of references' }
  if (depth >= MAX_DEPTH) return { path, what: `nested deeper than ${MAX_DEPTH}`, fix: 'flatten it' }
  const odd = oddObject(value, path)
  if (odd !== undefined) return odd
  for (const name of Object.getOwnPropertyNames(value)) {
    if (Array.isArray(value) && name === 'length') continue
    const inner = Array.isArray(value) ? `${path}[${name}]` : pathOf(path, name)
    const found = findProperty(value, name, inner) ?? find(read(value, name), inner, depth + 1, [...parents, value])
    if (found !== undefined) return found
  }
  return undefined
}

function findScalar(value: unknown, path: string): Finding | undefined {
  switch (typeof value) {
    case 'undefined':
      return { path, what: 'undefined', fix: 'leave the key out, or pass null' }
    case 'bigint':
      return { path, what: 'a bigint', fix: 'pass value.toString()' }
    case 'function':
      return { path, what: 'a function', fix: 'pass the data that it needs; the handler has the code' }
    case 'symbol':
      return { path, what: 'a symbol', fix: 'pass a string' }
    case 'number':
      if (Object.is(value, -0)) return { path, what: '-0, which JSON turns into 0', fix: 'pass value + 0, or 0' }
      return Number.isFinite(value) ? undefined : { path, what: String(value), fix: 'pass null or a finite number' }
    default:
      return undefined
  }
}

const FIXES: Readonly<Record<string, string>> = {
  Date: 'pass date.toISOString() or date.getTime()',
  Map: 'pass Object.fromEntries(map) or [...map]',
  Set: 'pass [...set]',
  URL: 'pass url.href',
  Error: 'pass its name and message',
  RegExp: 'pass its source',
  Promise: 'await it first',
  Buffer: "pass buffer.toString('base64'), or a path to the bytes",
}

function oddObject(value: object, path: string): Finding | undefined {
  const expected = Array.isArray(value) ? Array.prototype : Object.prototype
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null) return { path, what: 'an object without a prototype', fix: 'pass { ...value }' }
  if (prototype !== expected) {
    const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'something'
    const fix = FIXES[name] ?? (ArrayBuffer.isView(value) ? 'pass an array of numbers, or base64' : 'pass { ...value }')
    return { path, what: `an instance of ${name}`, fix }
  }
  if ('toJSON' in expected) {
    const inherited = 'an object that inherits a toJSON, which would answer in its place'
    return {
      path,
      what: inherited,
      fix: 'look for who adds to Object.prototype or Array.prototype, and take it out there',
    }
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    return { path, what: 'an object with a symbol as a key', fix: 'use strings as keys' }
  }
  if (Array.isArray(value)) return oddArray(value, path)
  return undefined
}

function oddArray(array: readonly unknown[], path: string): Finding | undefined {
  for (let at = 0; at < array.length; at++) {
    if (!Object.hasOwn(array, at)) return { path: `${path}[${at}]`, what: 'a hole in an array', fix: 'pass null' }
  }
  const extra = Object.getOwnPropertyNames(array).find((name) => name !== 'length' && !/^(0|[1-9]\d*)$/.test(name))
  if (extra === undefined) return undefined
  return { path: pathOf(path, extra), what: 'a named property of an array', fix: 'pass an object beside the array' }
}

function findProperty(object: object, name: string, path: string): Finding | undefined {
  const property = Object.getOwnPropertyDescriptor(object, name)
  if (name === '__proto__') return { path, what: 'a key __proto__', fix: 'use another key' }
  if (property !== undefined && !('value' in property)) return { path, what: 'a getter', fix: 'pass the value itself' }
  if (property?.enumerable === false) return { path, what: 'a hidden property', fix: 'pass { ...value }' }
  if (name === 'toJSON' && typeof property?.value === 'function') {
    return { path, what: 'a toJSON function', fix: 'pass what it returns' }
  }
  return undefined
}

function read(object: object, name: string): unknown {
  return (object as Record<string, unknown>)[name]
}

function pathOf(path: string, name: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`
}

function tooLarge(kind: PayloadKind, bytes: string): MillraceError {
  return new MillraceError(
    codeOf(kind),
    `${kind} is too large; got ${bytes} bytes, expected at most ${MAX_BYTES}; store the bytes elsewhere and pass where`,
    { path: kind },
  )
}
