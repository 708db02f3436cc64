import type { Writable } from 'node:stream'
import type { ChannelModel } from 'amqplib'
import { MillraceError } from '../../lib/errors.ts'
import type { Address } from './address.ts'
import { writeTogether } from './write-together.ts'

/** Makes a connection; the signal ends its socket at once, in whatever state it is. */
export type Connect = (address: Address, heartbeatMs: number, signal: AbortSignal) => Promise<ChannelModel>

/** Imported when it is first needed, because it is an optional peer dependency. */
export async function loadDriver(): Promise<Connect> {
  let amqplib: typeof import('amqplib')
  try {
    amqplib = await import('amqplib')
  } catch (cause) {
    throw new MillraceError(
      'MILLRACE_BROKER_CLIENT',
      'the RabbitMQ client cannot be loaded; expected the package amqplib, 2.3 or later; npm install amqplib@^2.3',
      { cause },
    )
  }
  return async ({ protocol, ...address }, heartbeatMs, signal) => {
    const where = { ...address, protocol, heartbeat: heartbeatMs / 1_000, frameMax: 131_072 }
    const socket = { noDelay: true, signal, clientProperties: { connection_name: 'millrace' } }
    const model = await amqplib.connect(where, socket)
    writeTogether((model.connection as unknown as { readonly stream: Writable }).stream)
    return model
  }
}
