// needs-program: rabbitmq-server
// needs-env: MILLRACE_TORTURE
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrokerLedger } from '../helpers/broker-ledger.ts'
import { RabbitNode } from '../helpers/rabbit-node.ts'
import { RabbitServer } from '../helpers/rabbitmq.ts'

const NODES = 3
/** Acknowledged between one deed and the next. */
const STEP = 2_000

describe('a RabbitMQ cluster of three nodes', () => {
  it('loses nothing while its nodes are killed in turn, whichever of them we are on', async (test) => {
    const nodes = await RabbitServer.startCluster(NODES)
    const closing: (() => Promise<unknown>)[] = []
    try {
      const urls = [nodes.map(({ url }) => url)]
      const cleaning = { after: (close: () => Promise<void>) => closing.push(close) }
      const options = { urls, publishTimeoutMs: 5_000 }
      const sender = await RabbitNode.open(cleaning, urlOf(nodes), options)
      const worker = await RabbitNode.open(cleaning, urlOf(nodes), { ...options, prefix: sender.prefix })
      const ledger = new BrokerLedger()
      ledger.execute(worker.take('work', 200))
      const publishing = ['a', 'b', 'c', 'd'].map((name) => ledger.publish(sender, name, 20))
      closing.unshift(() => {
        ledger.stop()
        return Promise.all(publishing)
      })
      await more(ledger)
      for (const node of nodes) {
        await node.kill()
        test.diagnostic(`${STEP} more after a node was killed: ${await more(ledger)} ms`)
        await node.start()
        test.diagnostic(`${STEP} more after it was back: ${await more(ledger)} ms`)
      }
      ledger.stop()
      await Promise.all(publishing)
      await ledger.until(() => ledger.lost === 0)
      test.diagnostic(ledger.summary())
      assert.equal(ledger.unexpected, 0)
      assert.ok(sender.events.filter(({ type }) => type === 'up').length > 1, 'it was never moved to another node')
    } finally {
      for (const close of closing) await close().catch(() => 'its node is gone')
      for (const node of nodes) await node[Symbol.asyncDispose]()
    }
  })
})

function urlOf(nodes: readonly RabbitServer[]): string {
  return nodes.at(-1)?.url ?? ''
}

/** How long it takes until so many more are acknowledged. */
async function more(ledger: BrokerLedger): Promise<number> {
  const before = ledger.acknowledged.size
  const startedAt = performance.now()
  await ledger.until(() => ledger.acknowledged.size >= before + STEP, 90_000)
  return Math.round(performance.now() - startedAt)
}
