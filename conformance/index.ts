/** The suite that every adapter passes, for those that others write. */
export { brokerCases, brokerConformance, playBrokerCase } from './broker.ts'
export type { BrokerCase } from './case.ts'
export type { BrokerRig, Fault, MakeRig } from './rig.ts'
export type { Scene } from './scene.ts'
