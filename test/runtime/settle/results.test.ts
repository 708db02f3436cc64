import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { encodePayload } from '../../../lib/payload.ts'
import { answer, type End, Results } from '../../../runtime/settle/results.ts'

const RECENT_JOBS = 10_000
const MIB = 1024 * 1024

function succeeded(value: unknown): End {
  return { state: 'succeeded', output: encodePayload(value, 'output') }
}

/** Results of a process whose first job has the number 1. */
function resultsFrom(firstNumber = 1): Results {
  const results = new Results()
  results.begin(firstNumber)
  return results
}

function answerOf(end: End): Promise<unknown> {
  return new Promise((resolve, reject) => answer(end, { resolve, reject }))
}

describe('who waits for a result', () => {
  it('gets it when the job has ended, everybody once', async () => {
    const results = resultsFrom()
    const waiting = [results.wait(1).promise, results.wait(1).promise]
    const other = results.wait(2)
    results.ended(1, succeeded({ bytes: 3 }))
    assert.deepEqual(await Promise.all(waiting), [{ bytes: 3 }, { bytes: 3 }])
    results.refuse(2, new Error('no answer'))
    await assert.rejects(other.promise, /no answer/)
  })

  it('hears nothing any more after leaving, and the others still do', async () => {
    const results = resultsFrom()
    const [left, stays] = [results.wait(1), results.wait(1)]
    let heard = 0
    void left.promise.then(() => heard++)
    left.leave()
    results.ended(1, succeeded(1))
    assert.deepEqual([await stays.promise, heard], [1, 0])
    left.leave()
  })

  it('hears why when nothing will come any more', async () => {
    const results = resultsFrom()
    const waiting = [results.wait(1).promise, results.wait(7).promise]
    results.rejectAll(new Error('stopped'))
    for (const promise of waiting) await assert.rejects(promise, /stopped/)
  })

  it('may be answered from the journal, which nobody remembers', async () => {
    const results = resultsFrom()
    const { promise } = results.wait(1)
    results.answer(1, succeeded('kept'))
    assert.deepEqual([await promise, results.recent(1)], ['kept', undefined])
  })
})

describe('the memory of results', () => {
  it('has the end of a job for who asks late', () => {
    const results = resultsFrom()
    results.ended(4, succeeded('late'))
    assert.deepEqual(results.recent(4), succeeded('late'))
    results.reopened(4)
    assert.equal(results.recent(4), undefined, 'a job that was retried is open again')
  })

  it('holds the latest 10,000 and no more', () => {
    const results = resultsFrom()
    for (let number = 1; number <= RECENT_JOBS + 5; number++) results.ended(number, succeeded(number))
    assert.deepEqual([results.recent(5), results.recent(6)], [undefined, succeeded(6)])
  })

  it('holds 8 MiB and no more', () => {
    const results = resultsFrom()
    const output = 'x'.repeat(MIB)
    for (let number = 1; number <= 9; number++) results.ended(number, { state: 'succeeded', output })
    assert.deepEqual([results.recent(1), results.recent(2)?.output?.length], [undefined, MIB])
    results.ended(10, { state: 'succeeded', output: 'x'.repeat(9 * MIB) })
    assert.deepEqual([results.recent(9), results.recent(10)], [undefined, undefined], 'one that is too large for it')
    results.ended(11, succeeded(1))
    assert.deepEqual(results.recent(11), succeeded(1), 'and goes on')
  })

  it('counts a job once that has ended again', () => {
    const results = resultsFrom()
    const output = 'x'.repeat(MIB)
    for (let time = 0; time < 30; time++) results.ended(1, { state: 'succeeded', output })
    assert.equal(results.recent(1)?.output?.length, MIB)
    for (let number = 2; number <= 8; number++) results.ended(number, { state: 'succeeded', output })
    assert.equal(results.recent(2)?.output?.length, MIB)
  })

  it('is bounded whatever ends how often', () => {
    const results = resultsFrom()
    for (let time = 0; time < 3 * RECENT_JOBS; time++) results.ended(time % 3, succeeded(time))
    results.reopened(0)
    results.ended(0, succeeded('again'))
    assert.deepEqual(results.recent(0), succeeded('again'))
  })
})

describe('a job that is not remembered', () => {
  it('is surely open if it is of this process and nothing later was forgotten', () => {
    const results = resultsFrom(100)
    assert.deepEqual([results.isSurelyOpen(99), results.isSurelyOpen(100)], [false, true])
    results.ended(100, succeeded(1))
    assert.deepEqual([results.isSurelyOpen(100), results.isSurelyOpen(101)], [false, true])
  })

  it('may have ended once a job with its number or a later one was forgotten', () => {
    const results = resultsFrom(1)
    results.ended(50, succeeded(50))
    for (let number = 100; number < 100 + RECENT_JOBS; number++) results.ended(number, succeeded(number))
    assert.deepEqual(
      [results.recent(50), results.isSurelyOpen(50), results.isSurelyOpen(49)],
      [undefined, false, false],
    )
    assert.equal(results.isSurelyOpen(51), true)
  })

  it('may have ended before this process began', () => {
    assert.equal(new Results().isSurelyOpen(1), false)
  })
})

describe('the answer', () => {
  it('is the value of a success', async () => {
    assert.equal(await answerOf({ state: 'succeeded', output: '' }), undefined)
    assert.deepEqual(await answerOf(succeeded([1, null])), [1, null])
  })

  it('is a code for every other end', async () => {
    const codes = { cancelled: 'MILLRACE_JOB_CANCELLED', expired: 'MILLRACE_JOB_EXPIRED', dead: 'MILLRACE_JOB_FAILED' }
    for (const [state, code] of Object.entries(codes)) {
      await assert.rejects(answerOf({ state: state as End['state'] }), { code })
    }
    await assert.rejects(answerOf({ state: 'discarded', reason: 'too old' }), {
      code: 'MILLRACE_JOB_DISCARDED',
      message: /too old/,
    })
  })

  it("is Millrace's own error as it is, and a handler's as the cause of another", async () => {
    const own = toErrorRecord(new MillraceError('MILLRACE_HARD_LIMIT', 'too long'))
    await assert.rejects(answerOf({ state: 'dead', error: own }), { code: 'MILLRACE_HARD_LIMIT' })
    const theirs = toErrorRecord(Object.assign(new TypeError('no luck'), { code: 'E_LUCK' }))
    await assert.rejects(answerOf({ state: 'dead', error: theirs }), (error: MillraceError) => {
      const { code, message } = error.cause as { code: string; message: string }
      assert.deepEqual([error.code, code, message], ['MILLRACE_JOB_FAILED', 'E_LUCK', 'no luck'])
      return true
    })
  })
})
