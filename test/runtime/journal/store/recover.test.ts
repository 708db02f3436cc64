import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { stateCodes } from '../../../../lib/job-state.ts'
import { MortalOwner, SLOTS } from '../../../helpers/mortal-owner.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

const lifeOf = (test: TestContext) => new MortalOwner(test, join(scratchFolder(), 'jobs.db'))

describe('after the death of the process', () => {
  it('what ran is available at its old place in the order, uncharged', (test) => {
    const life = lifeOf(test)
    const { journal } = life
    const [first, second] = [journal.enqueue('alpha'), journal.enqueue('alpha')]
    journal.claim(1)
    life.die()
    assert.deepEqual(journal.opened.recovered, { available: 1, begun: 0, cancelled: [] })
    assert.deepEqual(journal.claim(2), [first.number, second.number])
    assert.equal(journal.held(first.number).attempt, 0)
    assert.equal(journal.held(first.number).claim, 2)
  })

  it('a crash is noted of those that had begun, and of no others', (test) => {
    const life = lifeOf(test)
    const [begun, waited] = [life.journal.enqueue('alpha').number, life.journal.enqueue('alpha').number]
    life.journal.claim(2)
    life.begin(0, begun)
    life.die()
    assert.equal(life.journal.row(begun)?.crashes, 1)
    assert.equal(life.journal.row(waited)?.crashes, 0)
    assert.deepEqual(life.journal.opened.recovered, { available: 2, begun: 1, cancelled: [] })
  })

  it('one that somebody wanted cancelled is cancelled, and the start says so', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    assert.equal(life.journal.cancel(number).type, 'requested')
    life.die()
    assert.equal(life.journal.row(number)?.state, stateCodes.cancelled)
    assert.deepEqual(life.journal.opened.recovered, { available: 0, begun: 0, cancelled: [{ number, task: 'alpha' }] })
  })

  it('no crash is noted of one that its owner had interrupted', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.journal.request({ type: 'interrupted', numbers: [number] })
    life.die()
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('no crash is noted for a start of an older claim', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.journal.settle(life.journal.held(number), 'release')
    life.journal.claim(1)
    life.die()
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('a job is cleared by an attempt that its process survives', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.die()
    life.journal.claim(1)
    life.journal.settle(life.journal.held(number), 'retry')
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('a job with three crashes waits for its trial, while the others run', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    for (let crash = 0; crash < 3; crash++) {
      life.journal.claim(1)
      life.begin(0, number)
      life.die()
    }
    assert.equal(life.journal.opened.suspects, 1)
    const { number: other } = life.journal.enqueue('alpha')
    assert.deepEqual(life.journal.claim(5), [other])
    assert.deepEqual(life.trial(), [number])
    assert.deepEqual(life.trial(), [], 'one trial at a time')
  })

  it('those that were there at the fewest deaths have their trial first, and none takes room', (test) => {
    const life = lifeOf(test)
    const [often, seldom] = [life.journal.enqueue('alpha').number, life.journal.enqueue('alpha').number]
    life.journal.claim(2)
    life.journal.db.prepare('UPDATE millrace_jobs SET crashes = 5 WHERE id = ?').run(often)
    life.journal.db.prepare('UPDATE millrace_jobs SET crashes = 3 WHERE id = ?').run(seldom)
    life.die()
    const before = life.journal.ledger.rooms.jobs(0)
    assert.deepEqual(life.trial(), [seldom, often])
    assert.equal(life.journal.ledger.rooms.jobs(0), before)
  })

  it('no job is dead, however many deaths it was there at, alone or not', (test) => {
    const life = lifeOf(test)
    const { number } = life.journal.enqueue('alpha')
    for (let crash = 1; crash <= 20; crash++) {
      if (life.journal.opened.suspects === 0) life.journal.claim(1)
      else life.trial()
      assert.equal(life.journal.row(number)?.state, stateCodes.running)
      life.begin(0, number)
      life.die()
      const row = life.journal.row(number)
      assert.deepEqual([row?.state, row?.crashes], [stateCodes.available, crash])
    }
  })

  it('the killers among any jobs are suspects within three deaths each, and all others end', (test) => {
    const life = lifeOf(test)
    const jobs = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(jobs, (kills) => {
        const killers = new Set<number>()
        for (const kill of kills) {
          const { number } = life.journal.enqueue('alpha')
          if (kill && killers.size < 2) killers.add(number)
        }
        let deaths = 0
        for (life.journal.claim(100); !runHand(life, killers); life.journal.claim(100)) {
          deaths++
          life.die()
        }
        assert.ok(deaths <= 3 * killers.size, `${deaths} deaths`)
        const found: number[] = []
        for (let tried = life.trial(); tried.length > 0; tried = life.trial()) {
          for (const number of tried) {
            if (killers.has(number)) found.push(number)
            life.journal.settle(life.journal.held(number), killers.has(number) ? 'die' : 'succeed')
          }
        }
        assert.deepEqual(new Set(found), killers)
        assert.equal(life.journal.ledger.suspects, 0)
        assert.equal(life.journal.hand.size, 0)
        life.journal.route()
      }),
      { numRuns: 40, includeErrorInReport: true },
    )
  })
})

/** Begins what is held, as many at a time as there are slots; false if that was the end of the process. */
function runHand(life: MortalOwner, killers: ReadonlySet<number>): boolean {
  const held = [...life.journal.hand.values()]
  for (let at = 0; at < held.length; at += SLOTS) {
    const batch = held.slice(at, at + SLOTS)
    batch.forEach(({ number }, slot) => life.begin(slot, number))
    if (batch.some(({ number }) => killers.has(number))) return false
    for (const job of batch) life.journal.settle(job, 'succeed', { row: 'drop' })
  }
  return true
}
