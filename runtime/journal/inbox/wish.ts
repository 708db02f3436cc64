import { MillraceError } from '../../../lib/errors.ts'
import type { Answer, Request } from '../protocol.ts'

/**
 * What another process may want of a job. A wish travels through the inbox as a row whose task is no task's name, so that
 * the owner applies it in a commit of its own, in the order in which it was written.
 */
export interface Wish {
  readonly verb: 'cancel' | 'retry'
  readonly number: number
}

/** A wish that a commit has carried out, and what it came to. */
export interface Wished {
  readonly wish: Wish
  readonly answer: Answer
}

const CANCEL = '!cancel'
const RETRY = '!retry'

/** Of a row of the inbox, which else is a job. */
export const IS_WISH = `task IN ('${CANCEL}', '${RETRY}')`

export function encodeWish({ verb, number }: Wish): { readonly task: string; readonly input: string } {
  return { task: verb === 'cancel' ? CANCEL : RETRY, input: String(number) }
}

/** `undefined` for a row that is a job; throws `MILLRACE_PAYLOAD_CORRUPT` where the number is none. */
export function decodeWish({ task, input }: { readonly task: string; readonly input: string }): Wish | undefined {
  if (task !== CANCEL && task !== RETRY) return undefined
  const number = /^[0-9]{1,16}$/.test(input) ? Number(input) : Number.NaN
  if (Number.isSafeInteger(number)) return { verb: task === CANCEL ? 'cancel' : 'retry', number }
  throw new MillraceError(
    'MILLRACE_PAYLOAD_CORRUPT',
    `somebody wants a ${task.slice(1)} of no job; got ${JSON.stringify(input.slice(0, 80))}, expected a job's number; ` +
      'look at who else writes to the journal',
  )
}

export function requestOf({ verb, number }: Wish): Request {
  return { type: verb === 'cancel' ? 'cancel' : 'revive', number }
}
