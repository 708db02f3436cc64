import type { Broker } from 'millrace'
import { rabbitmq } from 'millrace/rabbitmq'

/** The broker that the demo was given cannot be used. */
export class BrokerUnusable extends Error {}

const PATIENCE_MS = 5_000
const SILENT = `no answer within ${PATIENCE_MS / 1_000} s; see whether it runs and can be reached from here`

/** Resolves when somebody lets us in there; rejects with `BrokerUnusable` within seconds, before anything was made. */
export async function checkBroker(url: string, signal: AbortSignal): Promise<void> {
  const broker = brokerOf(url)
  let patience: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const refuse = (reason: string) => reject(new BrokerUnusable(`--broker: ${reason}`))
      patience = setTimeout(() => refuse(SILENT), PATIENCE_MS)
      signal.addEventListener('abort', () => refuse('stopped'), { once: true })
      const opened = broker.open({
        queues: [],
        // It would be tried again for ever; here the first try says enough.
        tell: (event) => event.type === 'down' && refuse(event.error.message),
      })
      opened.then(resolve, reject)
    })
  } finally {
    clearTimeout(patience)
    await broker.close()
  }
}

function brokerOf(url: string): Broker {
  try {
    return rabbitmq({ urls: url })
  } catch (error) {
    throw new BrokerUnusable(`--broker: ${(error as Error).message}`)
  }
}
