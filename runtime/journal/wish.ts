import type { Answer, Request } from './protocol.ts'

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

export function encodeWish({ verb, number }: Wish): { readonly task: string; readonly input: string } {
  return { task: verb === 'cancel' ? CANCEL : RETRY, input: String(number) }
}

/** `undefined` for a row that is a job. */
export function decodeWish({ task, input }: { readonly task: string; readonly input: string }): Wish | undefined {
  if (task !== CANCEL && task !== RETRY) return undefined
  return { verb: task === CANCEL ? 'cancel' : 'retry', number: Number(input) }
}

export function requestOf({ verb, number }: Wish, keepUntil: number): Request {
  return verb === 'cancel' ? { type: 'cancel', number, keepUntil } : { type: 'revive', number }
}
