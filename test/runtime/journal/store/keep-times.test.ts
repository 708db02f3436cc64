import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import { failOnce } from '../../../helpers/altered-statement.ts'
import { KEEP_MS } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const OWN_MS = 1_234
const TASKS = { keepEndedMs: { alpha: OWN_MS } }

/** How long each of the jobs is kept after its end. */
function kept(journal: StoreDriver, ...numbers: readonly number[]): unknown[] {
  const find = journal.db.prepare('SELECT state, keep_until - ended_at FROM millrace_jobs WHERE id = ?').raw()
  return numbers.map((number) => find.get(number))
}

function ofEach(journal: StoreDriver, options = {}): [number, number] {
  return [journal.enqueue('alpha', options).number, journal.enqueue('beta', options).number]
}

describe('a job that the journal itself ends is kept as its task says, else as the journal does:', () => {
  const ends: Readonly<Record<string, { state: number; end(journal: StoreDriver): [number, number] }>> = {
    'cancelled while it waits': {
      state: stateCodes.cancelled,
      end(journal) {
        const numbers = ofEach(journal)
        for (const number of numbers) journal.cancel(number)
        return numbers
      },
    },
    'one of many that are cancelled': {
      state: stateCodes.cancelled,
      end(journal) {
        const numbers = ofEach(journal)
        journal.request({ type: 'cancel-many', where: { states: [stateCodes.available], tasks: undefined }, limit: 9 })
        return numbers
      },
    },
    'cancelled by another process': {
      state: stateCodes.cancelled,
      end(journal) {
        const numbers = ofEach(journal)
        const put = journal.db.prepare("INSERT INTO millrace_inbox (task, input, created_at) VALUES ('!cancel', ?, 0)")
        for (const number of numbers) put.run(String(number))
        journal.ledger.forgetInbox()
        journal.commit()
        return numbers
      },
    },
    'unreadable, from another process': {
      state: stateCodes.dead,
      end(journal) {
        const put = journal.db.prepare("INSERT INTO millrace_inbox (task, input, created_at) VALUES (?, '{', 0)")
        for (const task of journal.tasks) put.run(task)
        journal.ledger.forgetInbox()
        journal.commit()
        return journal.db.prepare('SELECT id FROM millrace_jobs ORDER BY id').pluck().all() as [number, number]
      },
    },
    'expired while it waits': {
      state: stateCodes.expired,
      end(journal) {
        const numbers = ofEach(journal, { expiresAt: journal.now + 10 })
        journal.advance(10)
        return numbers
      },
    },
    'cancelled while it ran in a process that died': {
      state: stateCodes.cancelled,
      end(journal) {
        const numbers = ofEach(journal)
        journal.claim(2)
        for (const number of numbers) journal.cancel(number)
        journal.reopen()
        return numbers
      },
    },
  }
  for (const [how, { state, end }] of Object.entries(ends)) {
    it(how, () => {
      const journal = new StoreDriver(TASKS)
      assert.deepEqual(kept(journal, ...end(journal)), [
        [state, OWN_MS],
        [state, KEEP_MS],
      ])
    })
  }

  it('before it is known what its task says, and the commit that brings it fails', () => {
    let openings = 0
    const journal = new StoreDriver({
      ...TASKS,
      plant: ({ commit }) => {
        if (++openings === 2) failOnce(commit)
      },
    })
    const numbers = ofEach(journal)
    journal.claim(2)
    for (const number of numbers) journal.cancel(number)
    assert.throws(() => journal.reopen(), /does not go through/)
    journal.route()
    assert.deepEqual(kept(journal, ...numbers), [
      [stateCodes.cancelled, OWN_MS],
      [stateCodes.cancelled, KEEP_MS],
    ])
  })

  it('away for too long', () => {
    const journal = new StoreDriver({ ...TASKS, outbound: { tasks: ['out', 'out'], stepMs: 100 } })
    journal.addRoom(2, journal.outbox)
    const numbers = ofEach(journal)
    for (const number of numbers) journal.settle(journal.held(number), 'hand-over')
    journal.advance(KEEP_MS)
    journal.request({ type: 'give-up-away', limit: 9 })
    assert.deepEqual(kept(journal, ...numbers), [
      [stateCodes.dead, OWN_MS],
      [stateCodes.dead, KEEP_MS],
    ])
  })
})
