import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { block, laneEcho } from '../../../fixtures/tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'

const BLOCK_MS = 1_900

describe('the watchdog of the loop', () => {
  it('names the task that holds it, and where it stands', async (test) => {
    const runtime = await startRuntime(test)
    await (await runtime.enqueue(laneEcho, { value: 1 })).result()
    for (const how of ['at once', 'later', 'native'] as const) {
      const blocked = nextEvent(runtime, 'loop.blocked', { timeoutMs: 20_000 })
      const job = await runtime.enqueue(block, { ms: BLOCK_MS, how })
      const { id, task, stack, blockedMs, verdict } = await blocked
      assert.ok(blockedMs >= 1_000 && blockedMs < BLOCK_MS, `noticed after ${blockedMs} ms`)
      // After an await nobody knows whose turn it is, but the stack does.
      assert.deepEqual([id, task], how === 'later' ? [undefined, undefined] : [job.id, 'lane.block'])
      assert.equal(verdict, how === 'native' ? 'blocked' : 'spinning')
      if (how === 'native') assert.deepEqual(stack, [])
      else assert.match(stack.join('\n'), /spinFor \(.*tasks\.js/)
    }
  })

  it('says so on stderr of a process that will never go on', async () => {
    const child = execFile(process.execPath, [fileURLToPath(new URL('../../../fixtures/blocked.js', import.meta.url))])
    let stderr = ''
    const said = new Promise<void>((resolve) => {
      child.stderr?.on('data', (text: string) => {
        stderr += text
        if (stderr.includes('spinFor')) resolve()
      })
    })
    await Promise.race([said, new Promise((resolve) => setTimeout(resolve, 20_000).unref())])
    child.kill('SIGKILL')
    assert.match(stderr, /blocked for \d+ ms by the task lane\.block, job [a-z0-9-]+, spinning:\n[^]*at spinFor/)
  })
})
