import type { BrokerSupports, Message } from './broker.ts'
import { headedText, malformed, matching, shortText, wholeFrom } from './hostile.ts'
import { readOverrides } from './job-extra.ts'
import type { JobOverrides } from './job.ts'
import type { Writable } from './writable.ts'

/**
 * A job on its way between machines: a line of JSON, and behind it the input as it was encoded once, when the job was
 * enqueued. What is not known here is passed over, so that a newer node can say more to those that understand it.
 */
export interface JobEnvelope {
  /** Its public id. */
  readonly id: string
  readonly task: string
  /** Counts its publications: the claim of the node that has the job, and how often others have sent it again since. */
  readonly claim: number
  /** Attempts that were charged so far. */
  readonly attempt: number
  /** How often somebody who had it was lost since its last attempt ended. */
  readonly deliveries: number
  /** How often it was put back since nobody there could run it. */
  readonly strays: number
  readonly createdAt: number
  /** 4 where absent. */
  readonly priority?: number
  /** JSON of `JobOverrides`. */
  readonly overrides?: string
  readonly expiresAt?: number
  readonly part?: string
  /** The queue that its outcome goes to; nowhere if absent. */
  readonly reply?: string
  /** Of its input. */
  readonly version?: number
  readonly input: string
}

/** Publications of one claim of the node that has the job: the number of a claim as others see it is `claim * PUBLICATIONS`. */
export const PUBLICATIONS = 2 ** 20

export const JOB_ID = /^[a-z0-9]{6}-[a-z0-9]{1,11}$/
export const TASK_NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/
const REPLY_QUEUE = /^node\.[a-z0-9]{1,64}$/
const MOST_AT = 8.64e15
const MOST_OVERRIDES = 65_536
const MOST_PART = 16_384

/** The queue that the outcomes of a node's jobs come home to. */
export function replyQueueOf(node: string): string {
  return `node.${node}`
}

/** The same for each try to send it, and another one for each publication. */
export function messageIdOf({ id, claim }: Pick<JobEnvelope, 'id' | 'claim'>): string {
  return `${id}.${claim}`
}

export function encodeJob({ input, ...header }: JobEnvelope): Uint8Array {
  return Buffer.from(`${JSON.stringify(header)}\n${input}`)
}

/** The message for a queue; what the delay is more than the broker can is cut off. */
export function messageOf(envelope: JobEnvelope, queue: string, delayMs: number, { delay }: BrokerSupports): Message {
  const heldMs = delay === 'none' ? 0 : Math.min(delayMs, delay.mostMs)
  return {
    id: messageIdOf(envelope),
    queue,
    body: encodeJob(envelope),
    ...(envelope.priority !== undefined && { priority: envelope.priority }),
    ...(heldMs > 0 && { delayMs: heldMs }),
  }
}

/** Throws `MILLRACE_MESSAGE_MALFORMED`, with the path of what is wrong. */
export function decodeJob(body: Uint8Array): JobEnvelope {
  const [header, input] = headedText(body, 'header', 'input')
  const { priority, overrides, expiresAt, part, reply, version } = header
  const envelope: Writable<JobEnvelope> = {
    id: matching(header['id'], JOB_ID, 'id'),
    task: matching(header['task'], TASK_NAME, 'task'),
    claim: wholeFrom(header['claim'], PUBLICATIONS, Number.MAX_SAFE_INTEGER, 'claim'),
    attempt: wholeFrom(header['attempt'], 0, 1e9, 'attempt'),
    deliveries: wholeFrom(header['deliveries'], 0, 1e9, 'deliveries'),
    strays: wholeFrom(header['strays'] ?? 0, 0, 1e9, 'strays'),
    createdAt: wholeFrom(header['createdAt'], 0, MOST_AT, 'createdAt'),
    input,
  }
  // Not spread into it, which would cost each delivery several objects.
  if (priority !== undefined) envelope.priority = wholeFrom(priority, 0, 9, 'priority')
  if (overrides !== undefined) envelope.overrides = overridesOf(overrides)
  if (expiresAt !== undefined) envelope.expiresAt = wholeFrom(expiresAt, 0, MOST_AT, 'expiresAt')
  if (part !== undefined) envelope.part = shortText(part, MOST_PART, 'part')
  if (reply !== undefined) envelope.reply = matching(reply, REPLY_QUEUE, 'reply')
  if (version !== undefined) envelope.version = wholeFrom(version, 1, 1e9, 'version')
  return envelope
}

/** What the job says of itself where it runs: the id by which its node knows it too. */
export function overridesWithId({ id, overrides }: Pick<JobEnvelope, 'id' | 'overrides'>): string {
  if (overrides === undefined) return `{"id":${JSON.stringify(id)}}`
  return JSON.stringify({ ...(JSON.parse(overrides) as JobOverrides), id })
}

/** How long that is, without making it. */
export function lengthWithId(job: Pick<JobEnvelope, 'id' | 'overrides'>): number {
  return job.overrides === undefined ? job.id.length + ONLY_ID_LENGTH : overridesWithId(job).length
}

const ONLY_ID_LENGTH = '{"id":""}'.length

function overridesOf(value: unknown): string {
  const text = shortText(value, MOST_OVERRIDES, 'overrides')
  try {
    readOverrides(text)
  } catch (error) {
    throw malformed('overrides', error instanceof Error ? error.message : error, 'JSON of overrides of a job')
  }
  return text
}
