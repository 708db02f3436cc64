import { decodePayload, encodePayload } from '../../lib/payload.ts'
import { INPUT, PAYLOAD } from '../payload.ts'
import type { MicroCase } from './case.ts'

const TIMES = 100
/** What people enqueue: a few fields and a list, 200 bytes as JSON. */
const NESTED = {
  photo: { id: 'p-8842179', file: 'uploads/2013/03/8842179.jpg', width: 1080, height: 1350 },
  author: 'u-1029384',
  tags: ['sunrise', 'lake', 'nofilter', 'early', 'fog'],
  share: true,
  caption: 'the lake before anyone',
}
const NUMBERS = Array.from({ length: 70 }, (_, at) => at)
const OPAQUE = { ...NESTED, at: new Date(0) }
const MOST_MICROS = 5

export const payloadCases: readonly MicroCase[] = [
  {
    what: 'encode 200 bytes, one field',
    times: TIMES,
    run: times(() => encodePayload(INPUT, 'input')),
    mostMicros: MOST_MICROS,
  },
  {
    what: 'encode 200 bytes, nested',
    times: TIMES,
    run: times(() => encodePayload(NESTED, 'input')),
    mostMicros: MOST_MICROS,
  },
  {
    what: 'encode 200 bytes, 70 numbers',
    times: TIMES,
    run: times(() => encodePayload(NUMBERS, 'input')),
    mostMicros: MOST_MICROS,
  },
  { what: 'decode 200 bytes', times: TIMES, run: times(() => decodePayload(PAYLOAD)) },
  { what: 'refuse an opaque input (a Date)', times: TIMES, run: times(refuse) },
]

function times(work: () => unknown): () => void {
  return () => {
    for (let at = 0; at < TIMES; at++) work()
  }
}

function refuse(): void {
  try {
    encodePayload(OPAQUE, 'input')
  } catch {
    return
  }
  throw new Error('a Date was accepted as an input')
}
