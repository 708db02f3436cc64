import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

describe('appending a job', () => {
  it('writes it as claimed where its place has room and nothing sorts before it', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const job = journal.enqueue('alpha')
    assert.equal(job.as, 'claimed')
    assert.equal(journal.row(job.number)?.state, stateCodes.running)
    assert.equal(journal.held(job.number).claim, 1)
  })

  it('lets it wait where its place has no room left', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const [first, second] = [journal.add('alpha'), journal.add('alpha')]
    journal.commit()
    assert.deepEqual([first.as, second.as], ['claimed', 'waiting'])
    assert.equal(journal.row(second.number)?.state, stateCodes.available)
  })

  it('lets it wait behind one of its own priority, and not behind a lower one', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha')
    journal.addRoom(2)
    const [higher, same] = [journal.add('beta', { priority: 5 }), journal.add('beta')]
    journal.commit()
    assert.deepEqual([higher.as, same.as], ['claimed', 'waiting'])
  })

  it('counts room in bytes as well as in jobs', () => {
    const journal = new StoreDriver()
    journal.route({ jobs: 10, bytes: 5 })
    const [first, second] = [journal.add('alpha', { input: '"123456"' }), journal.add('alpha')]
    journal.commit()
    assert.deepEqual([first.as, second.as], ['claimed', 'waiting'])
  })

  it('parks a job whose task has no place', () => {
    const journal = new StoreDriver({ parked: ['strange'] })
    journal.claim(10)
    assert.equal(journal.enqueue('strange').as, 'waiting')
    assert.deepEqual(journal.claim(10), [])
  })

  it('delays a job to an instant that is to come, and no other', () => {
    const journal = new StoreDriver()
    journal.claim(10)
    assert.equal(journal.enqueue('alpha', { dueAt: journal.now + 1 }).as, 'scheduled')
    assert.equal(journal.enqueue('alpha', { dueAt: journal.now }).as, 'claimed')
  })

  it('does not start a job that has expired already', () => {
    const journal = new StoreDriver()
    journal.claim(10)
    const { number } = journal.enqueue('alpha', { expiresAt: journal.now })
    assert.equal(journal.row(number)?.state, stateCodes.expired)
  })

  it('fails the one job that cannot be written, and knows the order numbers of the others', () => {
    const journal = new StoreDriver()
    journal.claim(10)
    const taken = journal.enqueue('alpha')
    const [failed, next] = [journal.add('alpha', { number: taken.number }), journal.add('alpha')]
    journal.commit()
    assert.equal(failed.as, 'failed')
    assert.match(String(failed.error), /UNIQUE/)
    assert.equal(next.as, 'claimed')
    assert.equal(journal.held(next.number).ord, journal.row(next.number)?.ord)
  })

  it('gives a key to the first also inside one commit, and leaves no trace of the second', () => {
    const journal = new StoreDriver()
    journal.claim(10)
    const [first, second] = [journal.add('alpha', { key: 'k' }), journal.add('alpha', { key: 'k' })]
    journal.commit()
    assert.deepEqual([first.as, second.as, second.first], ['claimed', 'duplicate', first.number])
    assert.equal(journal.row(second.number), undefined)
  })

  it('gives no key to a job that could not be written', () => {
    const journal = new StoreDriver()
    const taken = journal.enqueue('alpha')
    journal.enqueue('alpha', { number: taken.number, key: 'k' })
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
  })
})
