import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { weightOf } from '../../../../lib/job.ts'
import type { PlaceRoom } from '../../../../runtime/journal/protocol.ts'
import type { ClaimedJob } from '../../../../runtime/messages.ts'
import { failOnce } from '../../../helpers/altered-statement.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

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

  it('takes the oldest job each eighth time, those that were not committed not counted', () => {
    const journal = new StoreDriver()
    const oldest = journal.enqueue('alpha', { priority: 0 })
    for (let at = 0; at < 20; at++) journal.add('beta', { priority: 9 })
    journal.commit()
    failOnce(journal.ledger.commit)
    assert.throws(() => journal.claim(7), /does not go through/)
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

  it('takes what outranks the rest of a full place at the next room, not when half of it is free', () => {
    const journal = new StoreDriver()
    journal.route({ jobs: 10, bytes: 4_000 })
    const input = JSON.stringify('x'.repeat(300))
    for (let at = 0; at < 20; at++) journal.add('alpha', { input })
    journal.commit()
    assert.equal(journal.hand.size, 10, 'as many as there is room for')
    const [high, higher] = [journal.enqueue('beta', { priority: 5 }), journal.enqueue('beta', { priority: 9 })]
    assert.deepEqual(journal.claimInRoomOf(300), [higher.number])
    assert.deepEqual(journal.claimInRoomOf(300), [high.number])
    assert.deepEqual(journal.claimInRoomOf(300), [], 'those of the same priority come half a hand at a time')
  })

  const full: Readonly<Record<string, { readonly capacity: PlaceRoom; readonly held: number }>> = {
    'few jobs': { capacity: { jobs: 100, bytes: 100_000 }, held: 95 },
    'few bytes': { capacity: { jobs: 100, bytes: 4_000 }, held: 12 },
    'nothing more': { capacity: { jobs: 50, bytes: 100_000 }, held: 50 },
  }
  for (const [free, { capacity, held }] of Object.entries(full)) {
    it(`takes what waits while new jobs of a higher priority go before it, in a place with room for ${free}`, () => {
      const journal = new StoreDriver()
      journal.route(capacity)
      const input = JSON.stringify('x'.repeat(300))
      const urgent = { priority: 9, input } as const
      for (let at = 0; at < held; at++) journal.add('alpha', urgent)
      journal.commit()
      assert.equal(journal.hand.size, held)
      const { number } = journal.enqueue('beta', { dueAt: journal.now + 10, input })
      journal.advance(10)
      assert.equal(journal.hand.has(number), false)
      for (let ended = 1; ended <= 8 && !journal.hand.has(number); ended++) {
        journal.addFinish([...journal.hand.values()][0] as ClaimedJob)
        const next = journal.add('alpha', urgent)
        journal.claimInRoomOf(input.length)
        if (!journal.hand.has(number)) assert.equal(next.as, 'claimed')
      }
      assert.equal(journal.hand.has(number), true)
    })
  }

  it('takes as many of those that wait as one in eight of what one commit brings', () => {
    const journal = new StoreDriver()
    journal.route({ jobs: 900, bytes: 2 ** 30 })
    for (let at = 0; at < 800; at++) journal.add('alpha', { priority: 9 })
    journal.commit()
    for (let at = 0; at < 40; at++) journal.add('beta', { dueAt: journal.now + 10 })
    journal.commit()
    journal.advance(10)
    for (let at = 0; at < 35; at++) journal.add('alpha', { priority: 9 })
    assert.equal(journal.commit().claims.flatMap(({ numbers }) => numbers).length, 5)
  })

  const overrides = JSON.stringify({ metadata: { note: 'x'.repeat(500) } })
  const ways: Readonly<Record<string, (journal: StoreDriver, bytes: number) => void>> = {
    'a new job': (journal, bytes) => {
      journal.route({ jobs: 10, bytes })
      journal.enqueue('alpha', { overrides })
    },
    'a job that has waited': (journal, bytes) => {
      journal.route({ jobs: 0, bytes: 0 })
      journal.enqueue('alpha', { overrides })
      journal.route({ jobs: 10, bytes })
    },
    'a delivery': (journal, bytes) => {
      journal.route({ jobs: 10, bytes })
      journal.take('alpha', { id: 'other1-5', claim: 1 })
    },
    'a delivery that differs from its task': (journal, bytes) => {
      journal.route({ jobs: 10, bytes })
      journal.take('alpha', { id: 'other1-5', claim: 1, overrides })
    },
  }
  for (const [how, claim] of Object.entries(ways)) {
    it(`takes as much room for ${how} as its end gives back, of what it says of itself as well`, () => {
      const has = (bytes: number) => {
        const journal = new StoreDriver()
        claim(journal, bytes)
        return { room: journal.ledger.rooms.has(0), jobs: [...journal.hand.values()] }
      }
      const [job] = has(10_000).jobs
      const weight = weightOf(job as ClaimedJob)
      assert.ok(weight > (job as ClaimedJob).input.length)
      assert.deepEqual([has(weight).room, has(weight + 1).room], [false, true])
    })
  }

  it('takes nothing while its place is closed, whatever is given back meanwhile', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha')
    journal.route({ jobs: 0, bytes: 0 })
    assert.deepEqual(journal.claim(3), [])
    assert.equal(journal.enqueue('alpha').as, 'waiting')
    journal.route({ jobs: 3, bytes: 1_000 })
    assert.equal(journal.hand.size, 2)
  })

  it('takes no more than there is room for', () => {
    const journal = new StoreDriver()
    for (let at = 0; at < 5; at++) journal.add('alpha')
    journal.commit()
    assert.equal(journal.claim(3).length, 3)
    assert.equal(journal.claim(3).length, 2)
    assert.equal(journal.enqueue('alpha').as, 'claimed', 'what was not used is still there')
  })

  it('reads little more than it takes, however large the payloads are', () => {
    const journal = new StoreDriver()
    const input = JSON.stringify('x'.repeat(100_000))
    for (let at = 0; at < 60; at++) journal.enqueue('alpha', { input })
    let read = 0
    const { heads } = journal.ledger.sql
    const all = heads.all.bind(heads)
    heads.all = (...parameters) => {
      const rows = all(...parameters)
      read += rows.length
      return rows
    }
    assert.equal(journal.claim(512).length, 3, 'as many as a commit may be large')
    assert.ok(read <= 8, `${read} were read`)
    assert.equal(journal.claim(512).length, 3)
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
