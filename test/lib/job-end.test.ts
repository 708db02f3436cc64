import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { type End, endOf, resultOf } from '../../lib/job-end.ts'
import { formatJobId, type JobRecord } from '../../lib/job.ts'
import { encodePayload } from '../../lib/payload.ts'

const ID = formatJobId('test00', 7)
const idOf = () => ID

function succeeded(value: unknown): End {
  return { state: 'succeeded', output: encodePayload(value, 'output') }
}

describe('the end of a job', () => {
  it('is the value of a success', () => {
    assert.equal(resultOf({ state: 'succeeded', output: '' }, idOf), undefined)
    assert.deepEqual(resultOf(succeeded([1, null]), idOf), [1, null])
  })

  it('is a code for every other end', () => {
    const codes = { cancelled: 'MILLRACE_JOB_CANCELLED', expired: 'MILLRACE_JOB_EXPIRED', dead: 'MILLRACE_JOB_FAILED' }
    for (const [state, code] of Object.entries(codes)) {
      assert.throws(() => resultOf({ state: state as End['state'] }, idOf), { code })
    }
    for (const state of ['dead', 'cancelled', 'expired', 'discarded', 'succeeded'] as const) {
      assert.throws(
        () => resultOf({ state }, idOf),
        ({ message }: Error) => message.includes(ID) && /retry\(\)|set keepResultMs/.test(message),
      )
    }
    assert.throws(() => resultOf({ state: 'discarded', reason: 'too old' }, idOf), {
      code: 'MILLRACE_JOB_DISCARDED',
      message: /too old/,
    })
  })

  it('is what its record says, once it has ended', () => {
    const record = { endedAt: 5, state: 'dead', history: [] } as unknown as JobRecord
    const error = { name: 'Error', message: 'no luck' }
    const failed = { claim: 1, attempt: 1, endedAt: 5, type: 'failed', error } as const
    const { endedAt: _, ...running } = record
    assert.equal(endOf({ ...running, state: 'running', history: [failed] }, null), undefined)
    assert.deepEqual(
      endOf({ ...record, history: [{ ...failed, error: { ...error, message: 'before' } }, failed] }, null),
      {
        state: 'dead',
        error,
      },
    )
    assert.deepEqual(endOf({ ...record, state: 'succeeded' }, '7'), { state: 'succeeded', output: '7' })
    assert.throws(() => resultOf({ state: 'succeeded' }, idOf), { code: 'MILLRACE_RESULT_NOT_KEPT' })
  })

  it('has the error of the last attempt where its time was over before another one', () => {
    const error = { name: 'Error', message: 'no luck' }
    assert.throws(() => resultOf({ state: 'expired', error }, idOf), {
      code: 'MILLRACE_JOB_EXPIRED',
      message:
        /did not come to start before its expiresAt or within the useByMs of its task, and its last attempt had failed: no luck;/,
      cause: new Error('no luck'),
    })
  })

  it("is Millrace's own error as it is, and a handler's as the cause of another", () => {
    const own = toErrorRecord(new MillraceError('MILLRACE_HARD_LIMIT', 'too long'))
    assert.throws(() => resultOf({ state: 'dead', error: own }, idOf), { code: 'MILLRACE_HARD_LIMIT' })
    const theirs = toErrorRecord(Object.assign(new TypeError('no luck'), { code: 'E_LUCK' }))
    assert.throws(
      () => resultOf({ state: 'dead', error: theirs }, idOf),
      (error: MillraceError) => {
        const { code, message } = error.cause as { code: string; message: string }
        assert.deepEqual([error.code, code, message], ['MILLRACE_JOB_FAILED', 'E_LUCK', 'no luck'])
        return true
      },
    )
  })
})
