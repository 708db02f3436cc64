import { fromErrorRecord } from '../lib/error-record.ts'
import { MillraceError } from '../lib/errors.ts'
import type { Answer, Request } from './journal/protocol.ts'
import type { Wires } from './wires.ts'

export type Answered = Exclude<Answer, { readonly type: 'failed' }>

/** Has the journal carry out a request; rejects where it could not. */
export async function ask({ journal }: Wires, request: Request): Promise<Answered> {
  const answer = await journal.request(request)
  if (answer.type !== 'failed') return answer
  throw new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the journal could not carry out a ${request.type}; nothing of it was written; see the cause, mend it, then ask again`,
    { cause: fromErrorRecord(answer.error) },
  )
}
