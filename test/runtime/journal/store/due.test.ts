import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

describe('time in the journal', () => {
  it('makes jobs available in the order of their instants, behind those that wait', () => {
    const journal = new StoreDriver()
    const later = journal.enqueue('alpha', { dueAt: journal.now + 20 })
    const sooner = journal.enqueue('alpha', { dueAt: journal.now + 10 })
    const waits = journal.enqueue('alpha')
    journal.advance(20)
    assert.deepEqual(
      journal.claim(5),
      [waits, sooner, later].map(({ number }) => number),
    )
  })

  it('makes a job available at its instant and not before', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { dueAt: journal.now + 10 })
    journal.advance(9)
    assert.equal(journal.row(number)?.state, stateCodes.scheduled)
    journal.advance(1)
    assert.equal(journal.row(number)?.state, stateCodes.running)
  })

  it('tells when it has to be looked at next', () => {
    const journal = new StoreDriver()
    assert.equal(journal.commit().nextDueAt, undefined)
    const { now } = journal
    journal.enqueue('alpha', { dueAt: now + 30 })
    journal.enqueue('alpha', { expiresAt: now + 20 })
    assert.equal(journal.commit().nextDueAt, now + 20)
    assert.equal(journal.advance(20).nextDueAt, now + 30)
    assert.equal(journal.advance(10).nextDueAt, undefined)
  })

  it('forgets when a job would have expired that was claimed in time', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { expiresAt: journal.now + 10 })
    journal.claim(1)
    assert.equal(journal.advance(10).nextDueAt, undefined)
    assert.equal(journal.row(number)?.state, stateCodes.running)
  })

  it('ends a job that was given back after its time', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { expiresAt: journal.now + 10, key: 'k' })
    journal.claim(1)
    journal.advance(10)
    const { expired } = journal.drain()
    assert.deepEqual(expired, [{ number, task: 0 }])
    assert.equal(journal.row(number)?.state, stateCodes.expired)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting', 'its key is free')
  })

  it('loses nothing when the clock is set back', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { dueAt: journal.now + 10 })
    journal.advance(-3_600_000)
    assert.equal(journal.row(number)?.state, stateCodes.scheduled)
    journal.advance(3_600_010)
    assert.deepEqual(journal.claim(1), [number])
  })

  it('takes a backlog of due jobs in commits that are not too long', () => {
    const journal = new StoreDriver()
    for (let at = 0; at < 600; at++) journal.add('alpha', { dueAt: journal.now + 10 })
    journal.commit()
    const { nextDueAt, waiting } = journal.advance(10)
    assert.equal(waiting, 512)
    assert.ok(nextDueAt !== undefined && nextDueAt <= journal.now, 'the rest is due at once')
    assert.equal(journal.commit().waiting, 600)
  })
})
