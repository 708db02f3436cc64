import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '../../../../lib/clock.ts'
import { JournalAccess } from '../../../../runtime/journal/owner/access.ts'
import type { TakenAnswer } from '../../../../runtime/journal/protocol.ts'
import { TAKEN_NUMBERS_FROM } from '../../../../runtime/journal/schema/schema.ts'
import { startJournalThread } from '../../../../runtime/journal/owner/thread.ts'
import { DEAF } from '../../../helpers/loop-journal.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { markWorkers, workersSince } from '../../../helpers/workers.ts'

describe('deliveries while the thread of the journal dies', () => {
  it('are answered once each, and each has one row', { timeout: 60_000 }, async (test) => {
    const mark = markWorkers()
    const options = { file: join(scratchFolder(), 'jobs.db'), durability: 'relaxed', keepEndedMs: 60_000 } as const
    const reopenings: (() => void)[] = []
    const listener = { ...DEAF, reopened: () => reopenings.shift()?.() }
    const journal = new JournalAccess(options, startJournalThread, systemClock, listener)
    await journal.open()
    test.after(() => journal.close())
    await journal.learn(['echo'], 'some')
    const answers = new Map<string, TakenAnswer[]>()
    let taken = 0
    const take = () => {
      const id = `other1-${taken++}`
      const number = TAKEN_NUMBERS_FROM + taken
      const told: TakenAnswer[] = []
      answers.set(id, told)
      const job = { number, task: 0, input: 'null', id, claim: 2 ** 20, attempt: 0, createdAt: 1 }
      journal.take({ job, answered: (answer) => void told.push(answer) })
    }
    for (let death = 0; death < 3; death++) {
      const reopened = new Promise<void>((resolve) => void reopenings.push(resolve))
      const turns = async () => {
        for (let at = 0; at < 50; at++) {
          take()
          await turn()
        }
      }
      await Promise.all([turns(), (workersSince(mark).at(-1) as Worker).terminate()])
      await turns()
      await reopened
    }
    await journal.barrier()
    await journal.barrier()
    const kinds = [...answers.values()].map((told) => told.map(({ type }) => type).join())
    assert.deepEqual(new Set(kinds), new Set(['taken']))
    const counts = await journal.query((queries) => queries.counts())
    assert.deepEqual(counts, [{ task: 'echo', state: 1, jobs: answers.size }])
  })
})
