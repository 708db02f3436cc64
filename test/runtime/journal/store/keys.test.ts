import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Settle } from '../../../../runtime/journal/protocol.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const ends: Settle['transition'][] = ['succeed', 'die', 'discard', 'cancel-running', 'expire']

describe('a key', () => {
  for (const end of ends) {
    it(`is free again once its job has ended (${end})`, () => {
      const journal = new StoreDriver()
      journal.claim(1)
      const { number } = journal.enqueue('alpha', { key: 'k' })
      assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number, 'the control')
      journal.settle(journal.held(number), end)
      assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
    })
  }

  it('is free again once its job was cancelled before it started', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { key: 'k' })
    assert.equal(journal.cancel(number).type, 'cancelled')
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
  })

  it('stays taken between the attempts of its job', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.settle(journal.held(number), 'retry')
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number)
  })

  it('belongs to one task', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha', { key: 'k' })
    assert.equal(journal.enqueue('beta', { key: 'k' }).as, 'waiting')
  })

  it('with a window outlives its job, and is free when the window is over', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { key: 'k', keyWindowMs: 1_000 })
    journal.settle(journal.held(number), 'succeed', { row: 'drop' })
    journal.advance(999)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number)
    journal.advance(1)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
  })

  it('that another job has taken keeps a dead one from being retried', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.settle(journal.held(number), 'die')
    const second = journal.enqueue('alpha', { key: 'k' })
    assert.deepEqual(journal.retry(number), { type: 'key-taken', number: second.number })
    journal.cancel(second.number)
    assert.deepEqual(journal.retry(number), { type: 'revived' })
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number, 'the retried job has it again')
  })

  it('whose window is over keeps nobody from being retried, also before it is swept', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.settle(journal.held(number), 'die')
    journal.enqueue('alpha', { key: 'k', keyWindowMs: 1_000 })
    assert.equal(journal.retry(number).type, 'key-taken', 'the control')
    journal.advance(1_000)
    assert.equal(journal.retry(number).type, 'revived')
  })

  it('is free once its job was purged', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.request({ type: 'purge', where: { states: [1], tasks: undefined }, limit: 10 })
    assert.equal(journal.row(number), undefined)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
  })
})
