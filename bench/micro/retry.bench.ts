import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { defaultRetry, retryDelayMs } from '../../lib/retry.ts'
import type { MicroCase } from './case.ts'

const TIMES = 100
const ERROR: ErrorRecord = toErrorRecord(new Error('the other side hung up'))

export const retryCases: readonly MicroCase[] = [
  {
    what: 'retry delay',
    times: TIMES,
    run() {
      for (let at = 0; at < TIMES; at++) retryDelayMs(defaultRetry, 1 + (at % 4), Math.random, new Map(), ERROR)
    },
  },
]
