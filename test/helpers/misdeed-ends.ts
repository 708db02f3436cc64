import assert from 'node:assert/strict'
import type { Misdeed } from '../fixtures/misdeeds.ts'

/** How a job that does it must end: with this error, or as a success. */
const ends: Readonly<Record<Misdeed, { readonly code: string; readonly cause?: RegExp } | 'success'>> = {
  'exit 0': { code: 'MILLRACE_THREAD_EXIT' },
  'exit 1': { code: 'MILLRACE_THREAD_EXIT' },
  abort: { code: 'MILLRACE_JOB_FAILED', cause: /abort/ },
  'throw null': { code: 'MILLRACE_JOB_FAILED', cause: /null/ },
  'throw undefined': { code: 'MILLRACE_JOB_FAILED', cause: /undefined/ },
  'throw 0': { code: 'MILLRACE_JOB_FAILED', cause: /0/ },
  'throw empty': { code: 'MILLRACE_JOB_FAILED' },
  'throw with functions': { code: 'MILLRACE_JOB_FAILED', cause: /like an HTTP client/ },
  'throw cyclic': { code: 'MILLRACE_JOB_FAILED', cause: /cyclic/ },
  'throw getter': { code: 'MILLRACE_JOB_FAILED' },
  'throw revoked': { code: 'MILLRACE_JOB_FAILED' },
  'reject later': 'success',
  'throw later': 'success',
  'exit later': 'success',
  'close parent port': 'success',
  'pause stdin': 'success',
  'return a function': { code: 'MILLRACE_OPAQUE_OUTPUT' },
  'return a date': { code: 'MILLRACE_OPAQUE_OUTPUT' },
  'return revoked': { code: 'MILLRACE_JOB_FAILED' },
  nothing: 'success',
}

export const misdeedNames = Object.keys(ends) as Misdeed[]

/** Fails unless the result of a job that did it is what it must be. */
export async function assertEndOf(result: Promise<unknown>, how: Misdeed): Promise<void> {
  const end = ends[how]
  if (end === 'success') {
    assert.equal(await result, undefined, how)
    return
  }
  await assert.rejects(result, (error: { code: string; message: string; cause?: Error }) => {
    assert.equal(error.code, end.code, `${how}: ${error.message}`)
    if (end.cause !== undefined) assert.match(String(error.cause?.message), end.cause, how)
    return true
  })
}
