import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { End } from '../../../lib/job-end.ts'
import { formatJobId } from '../../../lib/job.ts'
import { encodePayload } from '../../../lib/payload.ts'
import { Results } from '../../../runtime/settle/results.ts'

const RECENT_JOBS = 10_000
const MIB = 1024 * 1024

function succeeded(value: unknown): End {
  return { state: 'succeeded', output: encodePayload(value, 'output') }
}

const idOf = (number: number) => formatJobId('test00', number)

/** Results of a process whose first job has the number 1. */
function resultsFrom(firstNumber = 1): Results {
  const results = new Results(idOf)
  results.begin(firstNumber)
  return results
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

  it('is waited for no more after leaving, also where it has come to wait for another job', () => {
    const results = resultsFrom()
    const [left, stays] = [results.wait(7), results.wait(7)]
    results.follow(7, 1)
    left.leave()
    stays.leave()
    assert.deepEqual(results.missed(0), [])
  })

  it('hears why when nothing will come any more', async () => {
    const results = resultsFrom()
    const waiting = [results.wait(1).promise, results.wait(7).promise]
    results.rejectAll(new Error('stopped'))
    for (const promise of waiting) await assert.rejects(promise, /stopped/)
  })

  it('hears the id of the job that has ended without a success', async () => {
    const results = resultsFrom()
    const { promise } = results.wait(7)
    results.follow(7, 1)
    results.ended(1, { state: 'cancelled' })
    await assert.rejects(promise, { code: 'MILLRACE_JOB_CANCELLED', message: new RegExp(`${idOf(1)} was cancelled`) })
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
    assert.deepEqual([results.isSurelyOpen(5), results.isSurelyOpen(RECENT_JOBS + 6)], [false, true])
  })

  it('holds them in the order of their ends, whatever their numbers', () => {
    const results = resultsFrom()
    const late = [7, 7 + RECENT_JOBS, 7 + 2 * RECENT_JOBS, 2 ** 52 + 7]
    for (const number of late) results.ended(number, succeeded(number))
    for (const number of late) assert.deepEqual(results.recent(number), succeeded(number))
    for (let at = 1; at <= RECENT_JOBS - late.length; at++) results.ended(3 * RECENT_JOBS + at, succeeded(at))
    assert.deepEqual(results.recent(7), succeeded(7), 'ten thousand have ended, this one first')
    results.ended(8, succeeded(8))
    assert.deepEqual([results.recent(7), results.recent(7 + RECENT_JOBS)], [undefined, succeeded(7 + RECENT_JOBS)])
  })

  it('holds what ended last, as a list would, whatever ends, is opened again or is large', () => {
    const large = 'x'.repeat(3 * MIB)
    const number = fc.nat(6).map((at) => 5 + at * 2 ** 14)
    const step = fc.tuple(fc.constantFrom('ends', 'ends', 'ends large', 'reopened'), number)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const results = resultsFrom()
        let list: { number: number; output: string }[] = []
        steps.forEach(([what, number], at) => {
          list = list.filter((each) => each.number !== number)
          if (what === 'reopened') return results.reopened(number)
          const output = what === 'ends large' ? large : `"${at}"`
          list.push({ number, output })
          while (list.reduce((sum, each) => sum + each.output.length, 0) > 8 * MIB) list.shift()
          results.ended(number, { state: 'succeeded', output })
        })
        for (let at = 0; at <= 6; at++) {
          const number = 5 + at * 2 ** 14
          const held = list.find((each) => each.number === number)?.output
          assert.equal(results.recent(number)?.output, held)
        }
      }),
    )
  })

  it('holds 8 MiB and no more', () => {
    const results = resultsFrom()
    const output = 'x'.repeat(MIB)
    for (let number = 1; number <= 9; number++) results.ended(number, { state: 'succeeded', output })
    assert.deepEqual([results.recent(1), results.recent(2)?.output?.length], [undefined, MIB])
    results.ended(10, { state: 'succeeded', output: 'x'.repeat(9 * MIB) })
    assert.deepEqual([results.recent(10), results.isSurelyOpen(10)], [undefined, false], 'one that is too large for it')
    assert.equal(results.recent(2)?.output?.length, MIB, 'which costs no other its place')
    results.ended(11, succeeded(1))
    assert.deepEqual(results.recent(11), succeeded(1), 'and goes on')
  })

  it('holds the last end of a job that has ended again', () => {
    const results = resultsFrom()
    const output = 'x'.repeat(MIB)
    for (let time = 0; time < 30; time++) results.ended(1, { state: 'succeeded', output: time + output.slice(2) })
    assert.match(results.recent(1)?.output ?? '', /^29x/)
    results.reopened(1)
    assert.equal(results.recent(1), undefined, 'and no earlier one')
  })

  it('counts what is remembered of errors', () => {
    const results = resultsFrom()
    const error = { name: 'Error', message: 'x'.repeat(MIB) }
    for (let number = 1; number <= 9; number++) results.ended(number, { state: 'dead', error })
    assert.deepEqual([results.recent(1), results.recent(9)?.state], [undefined, 'dead'])
  })

  it('is bounded whatever ends how often', () => {
    const results = resultsFrom()
    for (let time = 0; time < 3 * RECENT_JOBS; time++) results.ended(time % 3, succeeded(time))
    results.reopened(0)
    results.ended(0, succeeded('again'))
    assert.deepEqual(results.recent(0), succeeded('again'))
  })
})

describe('a job whose row was removed', () => {
  it('has no result for those who wait, and the journal is asked by those who come later', async () => {
    const results = resultsFrom()
    const { promise } = results.wait(7)
    results.ended(8, succeeded(8))
    results.removed([7, 8])
    await assert.rejects(promise, { code: 'MILLRACE_RESULT_NOT_KEPT', message: new RegExp(`${idOf(7)} was removed`) })
    assert.deepEqual([results.recent(8), results.isSurelyOpen(7), results.isSurelyOpen(9)], [undefined, false, true])
  })
})

describe('ends that were missed', () => {
  it('are asked for: whoever waits is named, and later ones do not trust the memory', () => {
    const results = resultsFrom()
    void results.wait(3).promise
    assert.deepEqual([results.missed(5), results.isSurelyOpen(4), results.isSurelyOpen(6)], [[3], false, true])
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
    for (let number = 51; number <= 50 + RECENT_JOBS; number++) results.ended(number, succeeded(number))
    assert.deepEqual(
      [results.recent(50), results.isSurelyOpen(50), results.isSurelyOpen(49)],
      [undefined, false, false],
    )
    assert.equal(results.isSurelyOpen(51 + RECENT_JOBS), true)
  })

  it('may have ended before this process began', () => {
    assert.equal(new Results(idOf).isSurelyOpen(1), false)
  })
})
