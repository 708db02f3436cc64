import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatJobId } from '../../../../lib/job.ts'
import type { MillraceError } from '../../../../lib/errors.ts'
import { resolveLostJob } from '../../../../runtime/journal/owner/lost-job.ts'
import type { Answer } from '../../../../runtime/journal/protocol.ts'

/** What its caller hears of job 7, whose group was lost, when the journal is asked. */
function refusalOf(answer: Promise<Answer>, key?: string): Promise<MillraceError> {
  return new Promise((resolve, reject) => {
    const extra = key === undefined ? null : { key }
    const accepted = () => reject(new Error('it was accepted'))
    const job = {
      number: 7,
      task: 0,
      input: '1',
      extra,
      accepted,
      refused: (error: unknown) => resolve(error as never),
    }
    resolveLostJob(job, 'abc123', () => answer)
  })
}

describe('who has enqueued a job that nobody can tell of', () => {
  const id = formatJobId('abc123', 7)
  const nobody: Answer = { type: 'holder', number: undefined }

  it('hears its id, by which a runtime can be asked later', async () => {
    for (const answer of [Promise.resolve(nobody), Promise.reject(new Error('closed'))]) {
      const { code, details, message } = await refusalOf(answer, 'k')
      assert.deepEqual([code, details], ['MILLRACE_OUTCOME_UNKNOWN', { id }])
      assert.ok(message.includes(id))
    }
  })

  it('hears that it was not written where that is known', async () => {
    const { code, details } = await refusalOf(Promise.resolve(nobody))
    assert.deepEqual([code, details], ['MILLRACE_JOURNAL_IO', { id }])
  })
})
