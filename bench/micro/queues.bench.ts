import { Mailbox } from '../../lib/mailbox.ts'
import { Ring } from '../../lib/ring.ts'
import type { MicroCase } from './case.ts'

const TIMES = 1_000
const mailbox = new Mailbox<number, never>(TIMES)
const ring = new Ring<number>()

export const queueCases: readonly MicroCase[] = [
  {
    what: 'mailbox put + take',
    times: TIMES,
    run() {
      for (let at = 0; at < TIMES; at++) mailbox.put(at)
      while (mailbox.messages > 0) mailbox.takeMessage()
    },
  },
  {
    what: 'ring push + shift',
    times: TIMES,
    run() {
      for (let at = 0; at < TIMES; at++) ring.push(at)
      while (ring.length > 0) ring.shift()
    },
  },
]
