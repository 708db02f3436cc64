import assert from 'node:assert/strict'
import { it } from 'node:test'
import { heavy, laneLook, look } from '../../fixtures/lazy-tasks.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

it('a lazy handler is loaded by its first job, in the thread that runs it, and nowhere else', async (test) => {
  const runtime = await startRuntime(test, {
    tasks: new URL('../../fixtures/lazy-tasks.js', import.meta.url),
    tiers: { default: { threads: 1 } },
  })
  const looked = async (task: typeof look | typeof laneLook) => {
    const { isMainThread, isLoaded } = await (await runtime.enqueue(task, null)).result({ timeoutMs: 20_000 })
    return [isMainThread, isLoaded]
  }
  assert.deepEqual(
    [await looked(look), await looked(laneLook)],
    [
      [false, false],
      [true, false],
    ],
  )
  const ran = await (await runtime.enqueue(heavy, null)).result({ timeoutMs: 20_000 })
  assert.equal(ran.isMainThread, false)
  assert.deepEqual(
    [await looked(look), await looked(laneLook)],
    [
      [false, true],
      [true, false],
    ],
  )
})
