import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type JobEnvelope, PUBLICATIONS } from '../../../lib/envelope.ts'
import { judge, stray } from '../../../runtime/intake/judge.ts'

const NEW = { redelivered: false, returns: 0 }
const envelope: JobEnvelope = {
  id: 'abc123-1',
  task: 'feed.deliver',
  claim: PUBLICATIONS,
  attempt: 0,
  deliveries: 0,
  strays: 0,
  createdAt: 1,
  input: '',
}

describe('a delivery', () => {
  it('is taken where it can run', () => {
    assert.deepEqual(judge(NEW, envelope, 'yes'), { type: 'take', suspect: 'no' })
  })

  it('is taken as a suspect when three were lost with it', () => {
    assert.deepEqual(judge(NEW, { ...envelope, deliveries: 2 }, 'yes'), { type: 'take', suspect: 'no' })
    assert.deepEqual(judge(NEW, { ...envelope, deliveries: 3 }, 'yes'), { type: 'take', suspect: 'yes' })
  })

  it('is counted and sent again when somebody may have had it, by whatever the broker says of it', () => {
    for (const given of [
      { redelivered: true, returns: 0 },
      { redelivered: false, returns: 4 },
    ]) {
      const by = { ...envelope, deliveries: 1 }
      assert.deepEqual(judge(given, envelope, 'yes'), { type: 'replace', by, delayMs: 0 })
      // Counting comes first: who cannot run it must not take a death from it.
      assert.deepEqual(judge(given, envelope, 'no'), { type: 'replace', by, delayMs: 0 })
    }
  })

  it('waits for another node where it cannot run, twice as long each time, at most five minutes', () => {
    const waits: number[] = []
    let next = envelope
    for (let times = 0; times < 12; times++) {
      const judged = judge(NEW, next, 'no')
      assert.ok(judged.type === 'replace')
      waits.push(judged.delayMs / 1_000)
      next = judged.by
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
    assert.equal(next.claim, envelope.claim)
  })

  it('waits no longer than that whatever its count says', () => {
    const judged = stray({ ...envelope, strays: 1e9 })
    assert.ok(judged.type === 'replace')
    assert.equal(judged.delayMs, 300_000)
  })
})
