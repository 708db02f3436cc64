import assert from 'node:assert/strict'
import type { BrokerRig } from '../../conformance/index.ts'
import type { Broker } from '../../lib/broker.ts'
import { CuttableBroker } from './cuttable-broker.ts'

/** A rig over brokers without a network: cutting is the work of a wrapper. */
export function cuttableRig(attach: () => Broker): BrokerRig {
  return {
    attach: () => Promise.resolve(new CuttableBroker(attach)),
    cut: (broker) => {
      assert.ok(broker instanceof CuttableBroker)
      return broker.cut()
    },
    restart: 'nothing of it outlives the process',
    quietMs: 10,
    patienceMs: 2_000,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
