import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Json } from '../../../../lib/json.ts'
import { AttemptLog } from '../../../../runtime/places/attempt/attempt-log.ts'

const logOf = () => new AttemptLog(() => 7)

/** A log with one line that has this message. */
function lineOf(message: unknown) {
  const log = logOf()
  log.write('error', message)
  const [line] = log.lines
  assert.ok(line !== undefined)
  return line
}

describe('a line of an attempt', () => {
  it('has a text for a message, whatever was passed', () => {
    const odd = Object.assign(new TypeError('too bad'), { config: { adapter: () => 1 } })
    assert.match(lineOf(odd).message, /^TypeError: too bad\n {4}at /)
    const messages = [() => 1, Symbol('x'), undefined, null, { a: 1 }, 5n].map((message) => lineOf(message).message)
    assert.deepEqual(messages, ['() => 1', 'Symbol(x)', 'undefined', 'null', '{"a":1}', '5'])
    assert.doesNotThrow(() => structuredClone(lineOf(odd)))
  })

  it('is what it was when it was written, whatever becomes of its fields', () => {
    const log = logOf()
    const fields: Record<string, Json> = { n: 1 }
    log.write('info', 'step', fields)
    fields['n'] = (() => 2) as unknown as Json
    assert.deepEqual(log.lines, [{ at: 7, level: 'info', message: 'step', fields: { n: 1 } }])
  })

  it('has fields that are an object, whatever was passed', () => {
    const log = logOf()
    for (const fields of [null, 'text', [1]]) log.write('info', 'step', fields as never)
    assert.deepEqual(
      log.lines.map((line) => line.fields),
      [undefined, { fields: 'text' }, { fields: [1] }],
    )
  })
})

describe('the bound of the lines of an attempt', () => {
  it('is 200 of them, and the last one says how many were dropped', () => {
    const log = logOf()
    for (let at = 1; at <= 200; at++) log.write('info', `line ${at}`)
    assert.deepEqual([log.lines.length, log.lines.at(-1)?.message], [200, 'line 200'])
    log.write('info', 'line 201')
    assert.deepEqual(
      [log.lines.length, log.lines.at(-2)?.message, log.lines.at(-1)?.message],
      [200, 'line 199', '… 2 more; an attempt keeps 200 lines and 32768 bytes'],
    )
  })

  it('is 32 KiB: a line that is too long is cut, and what comes after it is counted', () => {
    const log = logOf()
    log.write('info', 'first')
    log.write('error', 'ü'.repeat(20_000))
    log.write('info', 'last')
    const [first, long, note] = log.lines
    assert.equal(first?.message, 'first')
    assert.match(long?.message ?? '', /^ü{16381} … \(cut; it had 40000 bytes\)$/)
    assert.match(note?.message ?? '', /^… 1 more/)
  })

  it('holds for messages that are no text', () => {
    const log = logOf()
    for (let at = 0; at < 200; at++) log.write('info', { big: 'y'.repeat(100_000) })
    assert.ok(Buffer.byteLength(JSON.stringify(log.lines)) < 64 * 1024)
  })

  it('leaves fields out that do not fit any more, and says so', () => {
    const log = logOf()
    log.write('info', 'step', { text: 'x'.repeat(40_000) })
    log.write('info', 'next', { n: 1 })
    assert.deepEqual(log.lines, [
      { at: 7, level: 'info', message: 'step … (40011 bytes of fields were too many)' },
      { at: 7, level: 'info', message: 'next', fields: { n: 1 } },
    ])
  })
})
