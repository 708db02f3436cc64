import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SlotTable } from '../../../runtime/places/slot-table.ts'

describe('a table of slots', () => {
  it('has who was put into it and has not gone, as a map does', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 100 }), (slots) => {
        const table = new SlotTable<{ readonly slot: number }>(({ slot }) => slot)
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

  it('finds each by its number, as long as it stands there', () => {
    const step = fc.record({ slot: fc.nat(12), asked: fc.nat(40) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = new SlotTable<{ readonly number: number }>(({ number }) => number)
        const model = new Map<number, { readonly number: number }>()
        for (const [number, { slot, asked }] of steps.entries()) {
          if (model.delete(slot)) table.free(slot)
          else {
            model.set(slot, { number })
            table.put(slot, model.get(slot) as { readonly number: number })
          }
          // Not each time: what nobody asks for is forgotten, and found all the same.
          if (asked > 20) continue
          assert.equal(
            table.find(number - asked),
            [...model.values()].find((item) => item.number === number - asked),
          )
        }
      }),
    )
  })

  it('looks once at each to find all of them, also while others come and go', () => {
    const jobs = 2_000
    let looks = 0
    const table = new SlotTable<number>((number) => {
      looks++
      return number
    })
    for (let number = 0; number < jobs; number++) table.put(number, number)
    for (let number = 0; number < jobs; number++) {
      assert.equal(table.find(number), number)
      table.free(number)
      table.put(number, jobs + number)
    }
    assert.ok(looks <= 4 * jobs, `looked ${looks} times`)
  })

  it('notes nothing of what comes and goes when nobody has asked for long', () => {
    let looks = 0
    const table = new SlotTable<number>((number) => {
      looks++
      return number
    })
    for (let slot = 0; slot < 10; slot++) table.put(slot, slot)
    table.find(3)
    const pass = (times: number) => {
      for (let number = 100; number < 100 + times; number++) {
        table.free(number % 10)
        table.put(number % 10, number)
      }
    }
    pass(50)
    looks = 0
    pass(50)
    assert.equal(looks, 0)
  })
})
