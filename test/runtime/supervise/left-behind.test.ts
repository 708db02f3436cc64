import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { boot, systemGround } from '../../../runtime/boot.ts'
import { resolveConfig } from '../../../runtime/config/config.ts'
import { Runtime } from '../../../runtime/runtime.ts'
import { echo, native } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks } from '../../helpers/start-runtime.ts'

const TIMEOUT = { timeoutMs: 30_000 }
const SECONDS = 4

describe('a job that hangs in a native call when its place is started anew', () => {
  it('does not run beside itself: it is free again when its thread has exited', { timeout: 60_000 }, async (test) => {
    const tiers = { default: { threads: 1 }, small: { threads: 1 } }
    const config = resolveConfig({ tasks: fixtureTasks, journal: { file: ':memory:' }, tiers, lanes: { network: {} } })
    const booted = await boot(config, systemGround())
    const runtime = new Runtime(booted)
    test.after(() => runtime.stop({ graceMs: 0 }))
    const ledger = join(scratchFolder(), 'ledger')
    const hangs = nextEvent(runtime, 'place.zombies', TIMEOUT)
    const job = await runtime.enqueue(native, { ledger, seconds: SECONDS, how: 'exec' })
    await hangs
    const crashed = nextEvent(runtime, 'runtime.error', TIMEOUT)
    booted.wires.settle.tell({ type: 'ended', group: undefined as never })
    await crashed
    assert.deepEqual(await (await runtime.enqueue(echo, { value: 1 })).result(TIMEOUT), { value: 1 }, 'others go on')
    assert.equal((await job.record()).state, 'running')
    assert.equal(await job.result(TIMEOUT), 'again')
    const starts = ledgerLines(ledger).map(([, , , at]) => Number(at))
    assert.equal(starts.length, 2)
    const gapMs = (starts[1] as number) - (starts[0] as number)
    assert.ok(gapMs >= SECONDS * 1_000, `the second attempt began ${gapMs} ms after the first`)
  })
})
