import { finish, free, offer, take } from '../../lib/slot-word.ts'
import type { MicroCase } from './case.ts'

const TIMES = 1_000
const words = new Int32Array(new SharedArrayBuffer(4))

export const slotWordCases: readonly MicroCase[] = [
  {
    what: 'slot word: offer, take, finish, free',
    times: TIMES,
    run() {
      for (let at = 0; at < TIMES; at++) {
        const generation = offer(words, 0)
        take(words, 0, generation)
        finish(words, 0, generation)
        free(words, 0, generation)
      }
    },
  },
]
