import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupSize } from '../../../runtime/journal/group-columns.ts'
import { Gather } from '../../../runtime/journal/owner/gather.ts'
import type { TakenJob } from '../../../runtime/journal/protocol.ts'
import type { NewJob } from '../../../runtime/journal/owner/gather.ts'

const OVERRIDES = JSON.stringify({ softLimitMs: 5 })

describe('the size of a group', () => {
  it('counts what a job says of itself, whether it is new here or a delivery', () => {
    const gather = new Gather()
    const [input, task] = ['[1]', 0]
    const nobody = { accepted: () => {}, refused: () => {} }
    for (const extra of [null, { overrides: OVERRIDES }]) {
      gather.addJob({ number: 1, task, input, extra, ...nobody } as NewJob)
    }
    for (const overrides of [{}, { overrides: OVERRIDES }]) {
      const job: TakenJob = { number: 1, task, input, id: 'a-1', claim: 1, attempt: 0, createdAt: 1, ...overrides }
      gather.addTaken({ job, answered: () => {} })
    }
    const { group } = gather.take(1, 1, 1)
    assert.deepEqual(groupSize(group), { jobs: 4, bytes: 4 * input.length + 2 * OVERRIDES.length })
  })
})
