import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { openDatabase } from '../../../runtime/journal/files/sqlite.ts'
import { Turnstile, TURNSTILE_BYTES } from '../../../runtime/journal/turnstile.ts'
import type { BusyWriter } from '../../fixtures/busy-writer.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const WRITES = 30
/** One commit may be under way and one just over but not counted yet; the rest is for a thread that is held up here. */
const FEW = 5
const MANY = 20
/** The lock alone is not always unlucky: a try in which it let everybody through shows nothing. */
const TRIES = 20

/** How many commits of a thread that commits without a pause come before one write of this thread, at worst. */
async function mostOvertaking(use: BusyWriter['use']): Promise<number> {
  const file = join(scratchFolder(), 'busy.db')
  const db = openDatabase(file, { timeout: 20_000 })
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE busy (text TEXT)')
  const turnstile = new SharedArrayBuffer(TURNSTILE_BYTES)
  const [stop, commits] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))]
  const workerData: BusyWriter = { file, turnstile, use, stop, commits }
  const worker = new Worker(new URL('../../fixtures/busy-writer.js', import.meta.url), { workerData })
  const exited = once(worker, 'exit')
  await once(worker, 'message')
  let before = 0
  let most = 0
  const write = () => {
    db.exec('BEGIN IMMEDIATE')
    most = Math.max(most, Atomics.load(commits, 0) - before)
    db.exec('INSERT INTO busy VALUES (NULL); COMMIT')
  }
  for (let at = 0; at < WRITES; at++) {
    before = Atomics.load(commits, 0)
    if (use === 'yes') new Turnstile(turnstile).pass(write)
    else write()
    await sleep(2)
  }
  Atomics.store(stop, 0, 1)
  await exited
  db.close()
  return most
}

describe('the turnstile', () => {
  it('lets a writer through after the present commit', async () => {
    const most = await mostOvertaking('yes')
    assert.ok(most <= FEW, `${most} commits came before one write`)
  })

  it('lets a writer through after a commit that its thread has not survived', () => {
    const words = new SharedArrayBuffer(TURNSTILE_BYTES)
    new Turnstile(words).enter()
    const began = performance.now()
    assert.equal(
      new Turnstile(words).pass(() => 7),
      7,
    )
    assert.ok(performance.now() - began < 5_000, 'the loop stands still meanwhile')
  })

  it('is needed: the lock alone lets a writer wait for many', async (test) => {
    let most = 0
    for (let attempt = 0; attempt < TRIES && most < MANY; attempt++) most = Math.max(most, await mostOvertaking('no'))
    test.diagnostic(`${most} commits came before one write`)
    assert.ok(most >= MANY, `at most ${most} commits came before one write`)
  })
})
