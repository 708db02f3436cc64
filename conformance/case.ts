import type { BrokerSupports } from '../lib/broker.ts'
import type { BrokerRig } from './rig.ts'
import type { Scene } from './scene.ts'

/** One thing that must be true of every broker. */
export interface BrokerCase {
  readonly name: string
  /** Why it cannot be played here; undefined where it can. */
  readonly leftOut?: (supports: BrokerSupports, rig: BrokerRig) => string | undefined
  run(scene: Scene): Promise<void>
}

/** Leaves a case out where the network cannot be cut. */
export function needsCut(_: BrokerSupports, { cut }: BrokerRig): string | undefined {
  return typeof cut === 'string' ? cut : undefined
}
