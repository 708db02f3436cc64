import { toErrorRecord } from '../../lib/error-record.ts'
import type { ChildPort } from '../messages.ts'
import { NUMBERS_AT_ONCE } from './number-supply.ts'
import type { FromThread, ToThread } from './thread-protocol.ts'

type Answer = Extract<ToThread, { type: 'numbers' | 'enqueued' }>

/** Numbers for the jobs that handlers enqueue, given out ahead: at once, or when the journal has reserved more of them. */
export function giveNumbers(children: ChildPort, post: (answer: Answer) => void): void {
  children.takeNumbers(NUMBERS_AT_ONCE, (first) => post({ type: 'numbers', first, count: NUMBERS_AT_ONCE }))
}

/** A job that a handler wants at once: answered when it is committed or refused. */
export function enqueueNow(
  children: ChildPort,
  message: Extract<FromThread, { type: 'enqueue' }>,
  post: (answer: Answer) => void,
): void {
  const { request, task, number, input, extra } = message
  children.enqueue(task, number, input, extra).then(
    (accepted) => post({ type: 'enqueued', request, came: accepted }),
    (error: unknown) => post({ type: 'enqueued', request, came: toErrorRecord(error) }),
  )
}
