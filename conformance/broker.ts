import { describe, it } from 'node:test'
import type { BrokerCase } from './case.ts'
import { extras } from './extras.ts'
import { faults } from './faults.ts'
import { publishing } from './publishing.ts'
import type { BrokerRig, MakeRig } from './rig.ts'
import { Scene } from './scene.ts'
import { settling } from './settling.ts'

/** Everything that must be true of every broker, as data: for runners other than `node:test`, and for the suite's own test. */
export const brokerCases: readonly BrokerCase[] = [...publishing, ...settling, ...faults, ...extras]

/** Plays one case on a rig of its own. Resolves to why it was left out; rejects where it fails. */
export async function playBrokerCase(brokerCase: BrokerCase, make: MakeRig): Promise<string | undefined> {
  await using rig = await make()
  const reason = await leftOut(brokerCase, rig)
  if (reason !== undefined) return reason
  await using scene = new Scene(rig)
  await brokerCase.run(scene)
  return undefined
}

/** Runs the whole suite under `node:test`: an adapter's test file is this one call. */
export function brokerConformance(name: string, make: MakeRig): void {
  void describe(`the broker ${name}`, () => {
    for (const brokerCase of brokerCases) {
      void it(brokerCase.name, async (test) => {
        const reason = await playBrokerCase(brokerCase, make)
        if (reason !== undefined) test.skip(reason)
      })
    }
  })
}

async function leftOut(brokerCase: BrokerCase, rig: BrokerRig): Promise<string | undefined> {
  if (brokerCase.leftOut === undefined) return undefined
  const broker = await rig.attach()
  try {
    return brokerCase.leftOut(broker.supports, rig)
  } finally {
    await broker.close()
  }
}
