import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Numbers, NUMBERS_AHEAD } from '../../../runtime/journal/numbers.ts'
import { openLoopJournal } from '../../helpers/loop-journal.ts'

describe('the numbers of new jobs', () => {
  it('never run out, although nobody uses those that threads are given', async (test) => {
    const { journal } = await openLoopJournal(test, new ManualClock())
    const threads = (2.5 * NUMBERS_AHEAD) / 4_096
    const given = new Set<number>()
    for (let thread = 0; thread < threads; thread++) {
      await new Promise<void>((resolve) => {
        journal.takeNumbers(4_096, (first) => {
          given.add(first)
          resolve()
        })
      })
    }
    assert.equal(given.size, threads, 'each its own')
    assert.notEqual(journal.takeNumber(), undefined)
  })

  it('cost a commit for half a reserve of them, and none for each', async (test) => {
    const { journal, groups } = await openLoopJournal(test, new ManualClock())
    await journal.barrier()
    const before = groups.length
    for (let round = 1; round < 4; round++) {
      for (let taken = 0; taken <= NUMBERS_AHEAD / 2; taken++) journal.takeNumber()
      await turn()
      assert.equal(groups.length, before + round)
    }
  })

  it('are waited for, in order, where the journal has not reserved enough of them yet', () => {
    let low = 0
    const numbers = new Numbers(() => low++)
    const given: number[] = []
    numbers.begin(7)
    assert.equal(numbers.take(), undefined)
    numbers.takeRange(10, (first) => given.push(first))
    numbers.takeRange(1, (first) => given.push(first))
    assert.deepEqual([given, low], [[], 1])
    numbers.reserved(17)
    assert.deepEqual(given, [7])
    assert.equal(numbers.take(), undefined, 'those who wait come first')
    numbers.reserved(NUMBERS_AHEAD)
    assert.deepEqual([given, numbers.take(), numbers.next], [[7, 17], 18, 19])
  })
})
