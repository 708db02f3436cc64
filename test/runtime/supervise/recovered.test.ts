import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { formatJobId } from '../../../lib/job.ts'
import { createRuntime, type Runtime } from '../../../runtime/index.ts'
import { SUSPECT_CRASHES } from '../../../runtime/journal/schema/schema.ts'
import { MortalOwner } from '../../helpers/mortal-owner.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const TIMEOUT = { timeoutMs: 20_000 }

/** What an owner leaves that has died, of tasks named alpha; and a runtime on it, which handles them. */
function journalOf(test: TestContext) {
  const file = join(scratchFolder(), 'jobs.db')
  const owner = new MortalOwner(test, file)
  const start = async (): Promise<Runtime> => {
    owner.leave()
    const tasks = new URL('../../fixtures/greek-tasks.js', import.meta.url)
    const runtime = await createRuntime({ tasks, journal: { file }, tiers: { default: { threads: 1 } } })
    test.after(() => runtime.stop({ graceMs: 0 }))
    return runtime
  }
  const idOf = (number: number) => formatJobId(owner.journal.opened.name, number)
  return { owner, journal: owner.journal, start, idOf }
}

describe('what a start has recovered', () => {
  it('is told to who listens as soon as there is a runtime', async (test) => {
    const { owner, journal, start } = journalOf(test)
    const begun = journal.enqueue('alpha').number
    for (let at = 0; at < 3; at++) journal.enqueue('alpha')
    journal.claim(3)
    owner.begin(0, begun)
    const runtime = await start()
    assert.deepEqual(await nextEvent(runtime, 'runtime.recovered'), { available: 3, begun: 1, suspects: 0 })
  })

  it('is not told where there was nothing', async (test) => {
    const { start } = journalOf(test)
    const runtime = await start()
    runtime.on('runtime.recovered', () => assert.fail('nothing was there'))
    await turn()
    await turn()
  })

  it('counts a job that was there at many deaths among the suspects, which its trial clears', async (test) => {
    const { owner, journal, start, idOf } = journalOf(test)
    const { number } = journal.enqueue('alpha')
    const crashes = SUSPECT_CRASHES + 2
    owner.dieOf(number, crashes)
    const runtime = await start()
    runtime.on('job.dead', () => assert.fail('nobody has seen it take the process down'))
    const recovered = nextEvent(runtime, 'runtime.recovered')
    const tried = await nextEvent(runtime, 'job.tried', TIMEOUT)
    assert.deepEqual(tried, { id: idOf(number), task: 'alpha', verdict: 'cleared', crashes, deaths: 0 })
    assert.deepEqual(await recovered, { available: 1, begun: 1, suspects: 1 })
  })

  it('is told of a job that somebody wanted cancelled', async (test) => {
    const { journal, start, idOf } = journalOf(test)
    const { number } = journal.enqueue('alpha')
    journal.claim(1)
    journal.cancel(number)
    const runtime = await start()
    assert.deepEqual(await nextEvent(runtime, 'job.cancelled'), { id: idOf(number), task: 'alpha' })
    await assert.rejects(runtime.job(idOf(number)).result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  it('gets a lone suspect its trial although nothing else happens in the journal', async (test) => {
    const { owner, journal, start, idOf } = journalOf(test)
    const { number } = journal.enqueue('alpha')
    owner.dieOf(number, SUSPECT_CRASHES)
    const runtime = await start()
    const startedAt = performance.now()
    const cleared = nextEvent(runtime, 'job.succeeded', { timeoutMs: 20_000 })
    assert.deepEqual(await nextEvent(runtime, 'runtime.recovered'), { available: 1, begun: 1, suspects: 1 })
    assert.equal((await runtime.tasks())[0]?.jobs.available, 1, 'it waits, and is counted')
    assert.equal((await cleared).id, idOf(number))
    // Without a commit of its own it would come with the first sweep, five seconds later.
    assert.ok(performance.now() - startedAt < 4_000)
  })

  it('gets what is due its turn although nothing else happens in the journal', async (test) => {
    const { journal, start, idOf } = journalOf(test)
    const { number } = journal.enqueue('alpha', { dueAt: Date.now() + 1_500 })
    journal.now = Date.now()
    const runtime = await start()
    assert.equal((await nextEvent(runtime, 'job.succeeded', { timeoutMs: 4_000 })).id, idOf(number))
  })
})
