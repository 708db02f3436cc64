import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreDriver } from '../../../helpers/store-driver.ts'

/** A journal in which so many jobs have failed once and are due again. */
function withRetries(
  jobs: number,
  priority = 4,
): { readonly journal: StoreDriver; readonly retried: ReadonlySet<number> } {
  const journal = new StoreDriver()
  for (let job = 0; job < jobs; job++) journal.add('alpha', { priority })
  journal.commit()
  const retried = new Set(journal.claim(jobs))
  for (const number of retried) journal.addSettle(journal.held(number), 'retry')
  journal.commit()
  journal.route()
  journal.advance(1_000)
  return { journal, retried }
}

describe('retries', () => {
  it('take at most one claim in ten while fresh work waits', () => {
    const { journal, retried } = withRetries(100)
    for (let job = 0; job < 500; job++) journal.add('alpha')
    const claimed = journal.claim(400)
    for (let from = 0; from < 400; from += 10) {
      assert.equal(claimed.slice(from, from + 10).filter((number) => retried.has(number)).length, 1)
    }
  })

  it('take all there is when no fresh work waits', () => {
    const { journal, retried } = withRetries(100)
    assert.deepEqual(new Set(journal.claim(100)), retried)
  })

  it('are a part of what is claimed whatever their priority is', () => {
    const { journal, retried } = withRetries(50, 9)
    for (let job = 0; job < 200; job++) journal.add('beta', { priority: 0 })
    const claimed = journal.claim(100)
    assert.equal(claimed.filter((number) => retried.has(number)).length, 10)
  })

  it('are found waiting by new jobs, which do not go past them for ever', () => {
    const { journal } = withRetries(5)
    journal.addRoom(2)
    assert.equal(journal.enqueue('alpha').as, 'waiting')
    assert.equal(journal.hand.size, 2)
    assert.equal(journal.ledger.claimable, 4)
  })

  it('keep their priority, and are fresh again when somebody retries them', () => {
    const { journal, retried } = withRetries(1, 7)
    const [only] = [...retried]
    assert.equal(journal.claim(1)[0], only)
    assert.equal(journal.held(only as number).rank, 2)
    journal.settle(journal.held(only as number), 'die')
    assert.equal(journal.retry(only as number).type, 'revived')
    assert.equal(journal.ledger.waiting.total, 1)
  })

  it('become suspects as any other job does', () => {
    const { journal, retried } = withRetries(1)
    const [number] = [...retried] as [number]
    journal.claim(1)
    journal.db.prepare('UPDATE millrace_jobs SET crashes = 3').run()
    journal.settle(journal.held(number), 'release')
    assert.equal(journal.ledger.suspects, 1)
    assert.deepEqual(journal.claim(5), [], 'no claim sees it')
    journal.request({ type: 'trial' })
    assert.equal(journal.held(number).rank, 5)
  })
})
