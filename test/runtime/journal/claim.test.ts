import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreDriver } from '../../helpers/store-driver.ts'

describe('a claim', () => {
  it('takes the highest priority first, and in it the order of enqueuing, across the tasks of the place', () => {
    const journal = new StoreDriver()
    const low = journal.enqueue('alpha', { priority: 1 })
    const first = journal.enqueue('beta')
    const second = journal.enqueue('alpha')
    const high = journal.enqueue('beta', { priority: 9 })
    assert.deepEqual(
      journal.claim(4),
      [high, first, second, low].map(({ number }) => number),
    )
  })

  it('takes the oldest job each eighth time, whatever its priority', () => {
    const journal = new StoreDriver()
    const oldest = journal.enqueue('alpha', { priority: 0 })
    for (let at = 0; at < 20; at++) journal.add('beta', { priority: 9 })
    journal.commit()
    assert.equal(journal.claim(20).indexOf(oldest.number), 7)
  })

  it('takes the oldest job each eighth time also where every claim is of one job', () => {
    const journal = new StoreDriver()
    const oldest = journal.enqueue('alpha', { priority: 0 })
    for (let at = 0; at < 20; at++) journal.add('beta', { priority: 9 })
    journal.commit()
    const claimed = Array.from({ length: 8 }, () => journal.claim(1)).flat()
    assert.equal(claimed.indexOf(oldest.number), 7)
  })

  it('takes no more than there is room for', () => {
    const journal = new StoreDriver()
    for (let at = 0; at < 5; at++) journal.add('alpha')
    journal.commit()
    assert.equal(journal.claim(3).length, 3)
    assert.equal(journal.claim(3).length, 2)
    assert.equal(journal.enqueue('alpha').as, 'claimed', 'what was not used is still there')
  })

  it('ends at a number of jobs that no commit should be longer than', () => {
    const journal = new StoreDriver()
    for (let at = 0; at < 600; at++) journal.add('alpha')
    journal.commit()
    assert.equal(journal.claim(1_000).length, 512)
    assert.equal(journal.claim(1).length, 88)
  })

  it('raises the number of the claim each time and keeps the place in the order', () => {
    const journal = new StoreDriver()
    const job = journal.enqueue('alpha')
    journal.enqueue('alpha')
    for (let claim = 1; claim <= 3; claim++) {
      assert.deepEqual(journal.claim(1), [job.number])
      assert.equal(journal.held(job.number).claim, claim)
      journal.settle(journal.held(job.number), 'release')
    }
  })
})
