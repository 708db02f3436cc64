import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Database } from '../../runtime/index.ts'
import { parked } from '../fixtures/tasks.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

const CALLERS = 20_000
/** Groups are of 1,000. On a busy machine answers of several may have come when the loop looks: not those of all. */
const MOST_A_TURN = CALLERS / 2
/** Far beyond what a busy machine takes for a turn, and below the 5 s for which SQLite waits for a lock. */
const MOST_TURN_MS = 2_500

/** Watches this loop turn. */
class Turns {
  count = 0
  /** Most callers that were answered between one turn and the next. */
  mostAnswered = 0
  longestMs = 0
  #answered = 0
  #at = performance.now()
  #next = setImmediate(() => this.#turn())

  readonly answered = (): void => {
    this.#answered++
  }

  stop(): void {
    clearImmediate(this.#next)
    this.#look()
  }

  #turn(): void {
    this.#look()
    this.count++
    this.#next = setImmediate(() => this.#turn())
  }

  #look(): void {
    const now = performance.now()
    this.longestMs = Math.max(this.longestMs, now - this.#at)
    this.mostAnswered = Math.max(this.mostAnswered, this.#answered)
    this.#answered = 0
    this.#at = now
  }
}

describe("the service's own loop", () => {
  it('turns between the groups of jobs that are acknowledged, however many callers wait', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.enqueue(parked, null)
    const turns = new Turns()
    await Promise.all(Array.from({ length: CALLERS }, () => runtime.enqueue(parked, null).then(turns.answered)))
    turns.stop()
    assert.ok(turns.mostAnswered <= MOST_A_TURN, `${turns.mostAnswered} callers were answered in one turn`)
  })

  it('turns while the disk stands still', { timeout: 60_000 }, async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    await runtime.enqueue(parked, null)
    const db = new Database(file)
    test.after(() => db.close())
    db.exec('BEGIN IMMEDIATE')
    const turns = new Turns()
    const callers = Array.from({ length: 2_000 }, () => runtime.enqueue(parked, null).then(turns.answered))
    while (turns.count < 1_000) await turn()
    turns.stop()
    db.exec('COMMIT')
    await Promise.all(callers)
    assert.equal(turns.mostAnswered, 0, 'nothing was written meanwhile')
    assert.ok(turns.longestMs < MOST_TURN_MS, `a turn took ${turns.longestMs} ms`)
  })
})
