import type { JobExtra } from '../../../lib/job.ts'
import { inputVersionOf } from '../../../lib/job-extra.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import type { Ledger } from './ledger.ts'

/**
 * Puts off the job that has the key, with a new input. Not if it has been claimed, or has ended: it is left alone then, and
 * the new job is one of its own that takes the key over.
 */
export function putOff(ledger: Ledger, number: number, input: string, extra: JobExtra): 'put-off' | 'left-alone' {
  const row = ledger.sql.waitingRow.get(number)
  if (row === undefined) return 'left-alone'
  const { state, ...placed } = row
  const { dueAt, part = null, expiresAt = null, overrides } = extra
  const version = inputVersionOf(overrides)
  ledger.sql.putOff.run(dueAt as number, input, part, expiresAt, version, version, number)
  if (state === stateCodes.available) ledger.ceasesToWait({ ...placed, task: ledger.tasks.indexOfId(row.task) })
  ledger.timesChanged = 'yes'
  return 'put-off'
}
