import type { BrokerSupports, Message } from '../../lib/broker.ts'
import { type JobEnvelope, messageOf, PUBLICATIONS } from '../../lib/envelope.ts'
import { formatJobId } from '../../lib/job.ts'
import { OUTBOUND_RANK } from '../journal/schema/schema.ts'
import { type ClaimedJob, overridesOf } from '../messages.ts'

/** What of a message is of the node that sends it. */
export interface Sender {
  readonly journal: string
  /** Where outcomes shall go. */
  readonly reply: string
  readonly supports: BrokerSupports
}

/** A job of this node as the message that its claim becomes, for a queue. */
export function jobMessage(job: ClaimedJob, task: string, queue: string, sender: Sender, now: number): Message {
  const { overrides, expiresAt, dueAt, part } = job.extra ?? {}
  const { version } = overridesOf(job)
  const envelope: JobEnvelope = {
    id: formatJobId(sender.journal, job.number),
    task,
    claim: job.claim * PUBLICATIONS,
    attempt: job.attempt,
    deliveries: 0,
    strays: 0,
    createdAt: now,
    priority: 9 - (job.rank - OUTBOUND_RANK),
    ...(overrides !== undefined && { overrides }),
    ...(version !== undefined && { version }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(part !== undefined && { part }),
    reply: sender.reply,
    input: job.input,
  }
  return messageOf(envelope, queue, dueAt === undefined ? 0 : dueAt - now, sender.supports)
}
