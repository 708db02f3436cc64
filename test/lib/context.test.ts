import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { discard, isDiscard, isSnooze, snooze } from '../../lib/context.ts'
import { isOfKind, kind } from '../../lib/kind.ts'
import { TEN_YEARS_MS } from '../../lib/options.ts'

describe('what a handler returns to come back later', () => {
  it('is told from any result', () => {
    assert.ok(isSnooze(snooze(5)))
    assert.ok(!isDiscard(snooze(5)))
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => !isSnooze(value) && !isDiscard(value)))
  })

  it('waits whole milliseconds, never fewer than were asked', () => {
    assert.equal(snooze(0.1).delayMs, 1)
    assert.equal(snooze(0).delayMs, 0)
    for (const ms of [-1, Number.NaN, TEN_YEARS_MS + 1, '5']) {
      assert.throws(() => snooze(ms as number), { code: 'MILLRACE_INVALID_OPTION', path: 'snooze' })
    }
  })
})

describe('what a handler returns to end without success', () => {
  it('says why', () => {
    assert.equal(discard('not there any more').reason, 'not there any more')
    for (const reason of ['', undefined, 5]) {
      assert.throws(() => discard(reason as string), { code: 'MILLRACE_INVALID_OPTION', path: 'discard' })
    }
  })

  it('cannot be changed on its way', () => {
    assert.ok(Object.isFrozen(discard('x')) && Object.isFrozen(snooze(1)))
  })
})

describe('the mark of our objects', () => {
  it('is known to another copy of this package, and not to data', () => {
    const theirs = { [Symbol.for('millrace.kind')]: 'snooze', delayMs: 5 }
    assert.ok(isSnooze(theirs))
    assert.ok(!isSnooze(JSON.parse(JSON.stringify(theirs))))
    assert.equal(kind, Symbol.for('millrace.kind'))
    for (const value of [null, undefined, 5, 'snooze']) assert.ok(!isOfKind(value, 'snooze'))
  })
})
