import type { Channel, ChannelModel } from 'amqplib'
import type { Settings } from './options.ts'
import type { Declaration } from './topology.ts'
import { failure } from './failures.ts'

/** Makes what is declared, or with 'passive' looks whether it is there, on a channel of its own. */
export async function declare(
  model: ChannelModel,
  list: readonly Declaration[],
  { declare: mode, clusters }: Pick<Settings, 'declare' | 'clusters'>,
): Promise<void> {
  const channel = await model.createChannel()
  // What is refused rejects its own call, too.
  channel.on('error', () => {})
  for (const declaration of list) {
    try {
      await (mode === 'passive' ? look(channel, declaration) : make(channel, declaration))
    } catch (cause) {
      throw failure(
        `${mode === 'passive' ? 'expected' : 'cannot make'} ${describe(declaration)}`,
        cause,
        clusters.flat(),
      )
    }
  }
  await channel.close()
}

async function make(channel: Channel, declaration: Declaration): Promise<void> {
  switch (declaration.type) {
    case 'exchange':
      await channel.assertExchange(declaration.name, declaration.kind, { durable: true })
      return
    case 'queue':
      await channel.assertQueue(declaration.name, { durable: true, arguments: declaration.arguments })
      return
    case 'bind-queue':
      await channel.bindQueue(declaration.queue, declaration.exchange, declaration.key)
      return
    case 'bind-exchange':
      await channel.bindExchange(declaration.to, declaration.from, declaration.key)
      return
  }
}

/** Bindings cannot be looked at. */
async function look(channel: Channel, declaration: Declaration): Promise<void> {
  if (declaration.type === 'exchange') await channel.checkExchange(declaration.name)
  if (declaration.type === 'queue') await channel.checkQueue(declaration.name)
}

function describe(declaration: Declaration): string {
  switch (declaration.type) {
    case 'exchange':
      return `the exchange ${declaration.name} (${declaration.kind}, durable)`
    case 'queue':
      return `the queue ${declaration.name} (durable, ${JSON.stringify(declaration.arguments)})`
    case 'bind-queue':
      return `the binding of ${declaration.queue} to ${declaration.exchange}`
    case 'bind-exchange':
      return `the binding of ${declaration.to} to ${declaration.from}`
  }
}
