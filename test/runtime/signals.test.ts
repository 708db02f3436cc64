import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Database, type Runtime, type SignalOptions, stopOnSignals } from '../../runtime/index.ts'
import { startNode } from '../helpers/node-process.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../helpers/scratch.ts'

const service = new URL('../fixtures/signalled-service.js', import.meta.url)

/** A service in a process of its own whose one job has begun. */
async function serviceWith(test: TestContext, task: 'traced' | 'stubborn', ms: number, graceMs: number) {
  const folder = scratchFolder()
  const [file, ledger] = [join(folder, 'jobs.db'), join(folder, 'ledger')]
  const process = startNode(test, service, file, ledger, task, String(ms), String(graceMs))
  await process.line('job')
  await ledgerOf(ledger)
  const jobsLeft = () => {
    using db = closing(new Database(file, { readonly: true }))
    return db.prepare<[], number>('SELECT count(*) FROM millrace_jobs').pluck().get()
  }
  return { ...process, jobsLeft, ended: () => ledgerLines(ledger).some(([what]) => what === 'end') }
}

function closing(db: InstanceType<typeof Database>) {
  return Object.assign(db, { [Symbol.dispose]: () => void db.close() })
}

describe('stopOnSignals', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`lets jobs end within the grace, then ends the process by ${signal} itself`, async (test) => {
      const { child, exited, ended, jobsLeft } = await serviceWith(test, 'traced', 300, 10_000)
      child.kill(signal)
      assert.deepEqual(await exited, { code: null, signal, errors: '' })
      assert.deepEqual([ended(), jobsLeft()], [true, 0])
    })
  }

  it('ends the process at once when it is asked again', { timeout: 5_000 }, async (test) => {
    const { child, line, exited, ended, jobsLeft } = await serviceWith(test, 'stubborn', 60_000, 60_000)
    child.kill('SIGTERM')
    await line('stopping')
    const askedAt = performance.now()
    child.kill('SIGTERM')
    assert.deepEqual(await exited, { code: null, signal: 'SIGTERM', errors: '' })
    assert.ok(performance.now() - askedAt < 5_000)
    assert.deepEqual([ended(), jobsLeft()], [false, 1], 'the job is there for the next start')
  })

  it('returns what outlasts the grace, and ends the process all the same', async (test) => {
    const { child, line, exited, jobsLeft } = await serviceWith(test, 'stubborn', 60_000, 100)
    child.kill('SIGTERM')
    await line('stopped')
    assert.equal((await exited).signal, 'SIGTERM')
    assert.equal(jobsLeft(), 1)
  })

  it('refuses what it cannot use, with the option and the way out', () => {
    const runtime = { stop() {}, on() {}, off() {} }
    const refused: readonly (readonly [unknown, unknown, string, string | undefined])[] = [
      [runtime, { gracems: 5 }, 'MILLRACE_UNKNOWN_OPTION', 'gracems'],
      [runtime, null, 'MILLRACE_INVALID_OPTION', 'options'],
      [runtime, { signals: 'SIGTERM' }, 'MILLRACE_INVALID_OPTION', 'signals'],
      [runtime, { signals: ['SIGTERM', 'SIGKILL'] }, 'MILLRACE_INVALID_OPTION', 'signals[1]'],
      [runtime, { signals: ['SIGFOO'] }, 'MILLRACE_INVALID_OPTION', 'signals[0]'],
      [runtime, { graceMs: -1 }, 'MILLRACE_INVALID_OPTION', 'graceMs'],
      [undefined, {}, 'MILLRACE_INVALID_OPTION', 'runtime'],
      [Promise.resolve(runtime), {}, 'MILLRACE_INVALID_OPTION', 'runtime'],
    ]
    const before = process.eventNames().length
    for (const [given, options, code, path] of refused) {
      assert.throws(() => stopOnSignals(given as Runtime, options as SignalOptions), { code, path })
    }
    assert.equal(process.eventNames().length, before, 'nothing is listened for')
  })

  it('listens once for a signal that is named twice, and no more once it is taken away', () => {
    const runtime = { stop() {}, on() {}, off() {} } as unknown as Runtime
    const before = process.listenerCount('SIGUSR2')
    const remove = stopOnSignals(runtime, { signals: ['SIGUSR2', 'SIGUSR2'] })
    assert.equal(process.listenerCount('SIGUSR2'), before + 1)
    remove()
    assert.equal(process.listenerCount('SIGUSR2'), before)
  })
})
