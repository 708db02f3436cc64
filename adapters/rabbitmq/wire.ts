import type { ConsumeMessage, MessagePropertyHeaders, Options } from 'amqplib'
import type { Headers, Message } from '../../lib/broker.ts'
import { MillraceError } from '../../lib/errors.ts'
import { checkHeaders, DEFAULT_MESSAGE_PRIORITY, isMessageId, MOST_BYTES } from '../../lib/message.ts'

// Between our messages and AMQP's.

/** Durable, and to be returned where no queue takes it. */
export function propertiesOf({ id, headers, priority = DEFAULT_MESSAGE_PRIORITY }: Message): Options.Publish {
  return { persistent: true, mandatory: true, messageId: id, headers, priority }
}

/** The same bytes as the driver wants them. */
export function bufferOf(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

/** What of an incoming message is not its body. */
export interface Envelope {
  readonly id: string
  readonly headers: Headers
  readonly returns: number
}

/** Reads what comes, which anybody may have published; an error for what is no message of ours. */
export function readEnvelope({ properties, content }: ConsumeMessage): Envelope | MillraceError {
  const id: unknown = properties.messageId
  if (!isMessageId(id)) return malformed('it has no message id that could be one of ours')
  if (content.length > MOST_BYTES) return malformed(`it has ${content.length} bytes, expected at most ${MOST_BYTES}`)
  const given = properties.headers
  if (given === undefined) return { id, headers: NO_HEADERS, returns: 0 }
  const headers = ownHeaders(given)
  const error = checkHeaders(headers)
  return error === undefined ? { id, headers, returns: returnsOf(given) } : malformed(error.message)
}

const NO_HEADERS: Headers = {}

/** Without those that the broker adds. */
function ownHeaders(given: MessagePropertyHeaders): Headers {
  for (const name in given) {
    if (name.startsWith('x-')) {
      return Object.fromEntries(Object.entries(given).filter(([each]) => !each.startsWith('x-'))) as Headers
    }
  }
  return given as Headers
}

/** Quorum queues count; 4.3 counts returns that were nobody's fault under another name. */
function returnsOf(given: MessagePropertyHeaders): number {
  const counts = [given['x-delivery-count'], given['x-acquired-count']] as readonly unknown[]
  return Math.max(0, ...counts.filter((count): count is number => Number.isSafeInteger(count)))
}

function malformed(what: string): MillraceError {
  return new MillraceError('MILLRACE_MESSAGE_MALFORMED', `a message is not of Millrace: ${what}; see who publishes it`)
}
