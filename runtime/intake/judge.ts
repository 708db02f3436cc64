import type { Delivery } from '../../lib/broker.ts'
import type { JobEnvelope } from '../../lib/envelope.ts'
import { SUSPECT_CRASHES } from '../journal/schema/schema.ts'

/** What is done with a delivery before the journal is asked. */
export type Judgement =
  | { readonly type: 'take'; readonly suspect: 'yes' | 'no' }
  /** Goes back changed, held back for so long. */
  | { readonly type: 'replace'; readonly by: JobEnvelope; readonly delayMs: number }

const TAKE: Judgement = { type: 'take', suspect: 'no' }
const TAKE_SUSPECT: Judgement = { type: 'take', suspect: 'yes' }
const FIRST_STRAY_MS = 1_000
const MOST_STRAY_MS = 5 * 60_000

/**
 * One that somebody may have had before is never run as it is: who died of it could not count that. It comes again as a
 * message of its own, with its count. The claim stays the same, so that a node that has ended it, or runs it still, knows
 * it when it comes there.
 */
export function judge(
  { redelivered, returns }: Pick<Delivery, 'redelivered' | 'returns'>,
  envelope: JobEnvelope,
  canRun: 'yes' | 'no',
): Judgement {
  if (redelivered || returns > 0) {
    return { type: 'replace', by: { ...envelope, deliveries: envelope.deliveries + 1 }, delayMs: 0 }
  }
  if (canRun === 'no') return stray(envelope)
  return envelope.deliveries >= SUSPECT_CRASHES ? TAKE_SUSPECT : TAKE
}

/** For one that cannot run here now: somebody else may, and waits twice as long each time. */
export function stray(envelope: JobEnvelope): Judgement {
  const { strays } = envelope
  const delayMs = Math.min(MOST_STRAY_MS, FIRST_STRAY_MS * 2 ** Math.min(strays, 20))
  return { type: 'replace', by: { ...envelope, strays: strays + 1 }, delayMs }
}
