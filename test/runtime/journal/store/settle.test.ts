import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobColumns } from '../../../../runtime/journal/protocol.ts'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { ClaimedJob } from '../../../../runtime/messages.ts'
import { alter } from '../../../helpers/altered-statement.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

/** A claim that has failed late: its job was given back meanwhile and is claimed anew. */
function overtaken(journal: StoreDriver, key?: string): ClaimedJob {
  const { number } = journal.enqueue('alpha', key === undefined ? {} : { key })
  journal.claim(1)
  const late = journal.held(number)
  journal.settle(late, 'release')
  journal.claim(1)
  return late
}

describe('settling', () => {
  it('ends a job by its present claim only', () => {
    const journal = new StoreDriver()
    const late = overtaken(journal)
    for (const reply of [journal.finish(late), journal.settle(late, 'succeed'), journal.settle(late, 'die')]) {
      assert.deepEqual(reply.stale, [late.number])
    }
    assert.equal(journal.row(late.number)?.state, stateCodes.running)
    assert.deepEqual(journal.finish(journal.held(late.number)).stale, [])
  })

  it('would end it by any claim without the fence (control)', () => {
    const journal = new StoreDriver({ plant: (ledger) => alter(ledger, 'finish', 'claim = ?', '? IS NOT NULL') })
    const late = overtaken(journal)
    assert.deepEqual(journal.finish(late).stale, [])
    assert.equal(journal.row(late.number), undefined)
  })

  it('takes the first outcome that is committed, also of two in one commit', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const job = journal.held(journal.enqueue('alpha').number)
    journal.addSettle(job, 'discard')
    journal.addSettle(job, 'succeed')
    assert.deepEqual(journal.commit().stale, [job.number])
    assert.equal(journal.row(job.number)?.state, stateCodes.discarded)
  })

  it('refuses a whole commit of an owner that was replaced', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const job = journal.held(journal.enqueue('alpha').number)
    const old = journal.store
    journal.reopen()
    const late = { ...emptyGroup, number: 99, now: journal.now, done: Float64Array.of(job.number, job.claim) }
    // The new owner has claimed it again, so that only the epoch tells the two apart.
    journal.db.prepare('UPDATE millrace_jobs SET state = 2').run()
    assert.throws(() => old.commit([late]), { code: 'MILLRACE_JOURNAL_LOST' })
    assert.notEqual(journal.row(job.number), undefined)
    alter(old.ledger, 'stamp', 'epoch = ?', '? IS NOT NULL')
    old.commit([late])
    assert.equal(journal.row(job.number), undefined, 'the control: without the check of the epoch it is gone')
  })

  it('writes children in the commit of the success, and lets them wait like others', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const job = journal.held(journal.enqueue('alpha').number)
    const children = journal.children('alpha', 'beta')
    journal.settle(job, 'succeed', { row: 'drop', children })
    assert.deepEqual(journal.claim(5), children.numbers)
  })

  it('writes no children of a success that came too late', () => {
    const journal = new StoreDriver()
    const late = overtaken(journal)
    const children = journal.children('alpha')
    journal.settle(late, 'succeed', { row: 'drop', children })
    assert.equal(journal.row(children.numbers[0] as number), undefined)
  })

  it('does not let a job succeed that would lose a child by it', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const job = journal.held(journal.enqueue('alpha').number)
    const children = journal.children('alpha', 'beta')
    const broken: JobColumns = { ...children, numbers: [children.numbers[0] as number, job.number] }
    journal.enqueue('alpha')
    const reply = journal.settle(job, 'succeed', { children: broken })
    assert.deepEqual(
      reply.failedSettles.map(({ number }) => number),
      [job.number],
    )
    assert.equal(journal.row(job.number)?.state, stateCodes.running)
    assert.equal(journal.row(children.numbers[0] as number), undefined)
    assert.equal(journal.ledger.waiting.total, 1, 'what was undone is not counted')
  })

  it('undoes the one settle that cannot be written, and keeps its neighbours', () => {
    const journal = new StoreDriver()
    journal.claim(2)
    const [bad, good] = [journal.enqueue('alpha'), journal.enqueue('alpha')].map(({ number }) => journal.held(number))
    journal.addSettle(bad as ClaimedJob, 'retry', { dueAt: Number.NaN, record: '{}' })
    journal.addSettle(good as ClaimedJob, 'die')
    const reply = journal.commit()
    assert.deepEqual(
      reply.failedSettles.map(({ number }) => number),
      [bad?.number],
    )
    assert.equal(journal.row(bad?.number as number)?.state, stateCodes.running)
    assert.deepEqual(journal.row(bad?.number as number)?.attempts, [])
    assert.equal(journal.row(good?.number as number)?.state, stateCodes.dead)
  })

  it('keeps the latest twenty attempts of a job', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha')
    for (let claim = 1; claim <= 25; claim++) {
      journal.claim(1)
      journal.settle(journal.held(number), 'release', { record: JSON.stringify({ claim }) })
    }
    const claims = journal.row(number)?.attempts.map((text) => (JSON.parse(text) as { claim: number }).claim)
    assert.deepEqual(
      claims,
      Array.from({ length: 20 }, (_, at) => at + 6),
    )
  })

  it('leaves nothing of a success that keeps no row', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.claim(1)
    journal.settle(journal.held(number), 'release', { record: '{}' })
    journal.claim(1)
    journal.settle(journal.held(number), 'succeed', { row: 'drop' })
    for (const table of ['jobs', 'attempts', 'keys']) {
      assert.deepEqual(journal.db.prepare(`SELECT * FROM millrace_${table}`).all(), [], table)
    }
  })

  it('does not free a key by an outcome that came too late', () => {
    const journal = new StoreDriver()
    const late = overtaken(journal, 'k')
    journal.settle(late, 'succeed', { row: 'drop' })
    assert.deepEqual(journal.enqueue('alpha', { key: 'k' }).first, late.number)
  })
})

const emptyGroup = { nextNumber: 0, names: [], routes: undefined, room: [], jobs: undefined, settles: [], requests: [] }
