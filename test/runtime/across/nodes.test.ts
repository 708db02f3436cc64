import { describe } from 'node:test'
import { memory, memoryStore } from '../../../adapters/memory/index.ts'
import { acrossCases } from '../../helpers/across-cases.ts'

describe('nodes that share a broker in memory', () => {
  acrossCases(() => {
    const store = memoryStore()
    return () => memory(store)
  })
})
