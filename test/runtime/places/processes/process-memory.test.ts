import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { hoard, noop, pid, type Shape } from '../../../fixtures/process-tasks.ts'
import { startNode } from '../../../helpers/node-process.ts'
import { isAlive, startProcessTier } from '../../../helpers/start-process-tier.ts'

const TIMEOUT = { timeoutMs: 120_000 }
const SHAPES: readonly Shape[] = ['growing array', 'one big array', 'huge JSON', 'map', 'split', 'buffers', 'objects']

describe('a process that needs too much memory', () => {
  it('costs one job, in every way to need it, and the service lives', { timeout: 300_000 }, async (test) => {
    const runtime = await startProcessTier(test, { maxMemoryMb: 300 })
    for (const shape of SHAPES) {
      const before = await runtime.enqueue(noop, null)
      const job = await runtime.enqueue(hoard, { shape }, { hardLimitMs: 60_000 })
      const after = await Promise.all(Array.from({ length: 5 }, () => runtime.enqueue(noop, null)))
      let code = ''
      await assert.rejects(job.result(TIMEOUT), (error: { code: string; message: string }) => {
        code = error.code
        test.diagnostic(`${shape}: ${error.message}`)
        return true
      })
      assert.ok(code === 'MILLRACE_OUT_OF_MEMORY' || code === 'MILLRACE_PROCESS_EXIT', `${shape}: ${code}`)
      await Promise.all([before, ...after].map((each) => each.result(TIMEOUT)))
    }
  })

  it('is ended for buffers that no heap limit counts', { timeout: 120_000 }, async (test) => {
    const runtime = await startProcessTier(test, { maxMemoryMb: 200 })
    const job = await runtime.enqueue(hoard, { shape: 'buffers' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_OUT_OF_MEMORY' })
  })

  it('is ended as well where its handler has closed what the reason goes through', {
    timeout: 120_000,
  }, async (test) => {
    const runtime = await startProcessTier(test, { maxMemoryMb: 200 })
    const job = await runtime.enqueue(hoard, { shape: 'unheard' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_PROCESS_EXIT', message: /SIGKILL/ })
  })

  it('is what the kernel shall end first', async (test) => {
    const runtime = await startProcessTier(test)
    const where = await (await runtime.enqueue(pid, null)).result(TIMEOUT)
    assert.equal(readFileSync(`/proc/${where}/oom_score_adj`, 'utf8').trim(), '1000')
    assert.ok(isAlive(where))
  })

  it('would take the service along as a thread of it', { timeout: 120_000 }, async (test) => {
    const service = startNode(
      test,
      new URL('../../../fixtures/process-service.js', import.meta.url),
      'hoard',
      'growing array',
    )
    const { code, signal } = await service.exited
    assert.ok(signal === 'SIGABRT' || signal === 'SIGTRAP' || code === 134 || code === 133, `${code} ${signal}`)
  })
})
