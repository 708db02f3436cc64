import { memory, memoryStore } from '../../../adapters/memory/index.ts'
import { brokerConformance } from '../../../conformance/index.ts'
import { cuttableRig } from '../../helpers/broker-rigs.ts'

brokerConformance('in memory', async () => {
  const store = memoryStore()
  return cuttableRig(() => memory(store))
})
