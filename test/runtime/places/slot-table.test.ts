import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SlotTable } from '../../../runtime/places/slot-table.ts'

describe('a table of slots', () => {
  it('has who was put into it and has not gone, as a map does', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 100 }), (slots) => {
        const table = new SlotTable<{ readonly slot: number }>()
        const model = new Map<number, { readonly slot: number }>()
        for (const slot of slots) {
          if (model.delete(slot)) table.free(slot)
          else {
            const item = { slot }
            model.set(slot, item)
            table.put(slot, item)
          }
          assert.equal(table.size, model.size)
          assert.deepEqual(new Set(table), new Set(model.values()))
        }
      }),
    )
  })
})
