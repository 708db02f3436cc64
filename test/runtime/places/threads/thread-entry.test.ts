import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { leakCheck } from '../../../helpers/leak-check.ts'
import { siblingUrl } from '../../../../runtime/sibling-url.ts'

leakCheck({ after })

const TIER_POOL = siblingUrl('../../../../runtime/places/threads/tier-pool', import.meta.url).href
const CLOCK = siblingUrl('../../../../lib/clock', import.meta.url).href

/**
 * Starts a thread again and again and terminates it, later and later in its start; the last one when it has started,
 * which on a busy machine is later than any time that could stand here.
 */
const ENDED_EARLY = `
  import { setTimeout } from 'node:timers/promises'
  import { MessageChannel } from 'node:worker_threads'
  const { TierPool } = await import('${TIER_POOL}')
  const { systemClock: clock } = await import('${CLOCK}')
  for (let afterMs = 20; afterMs <= 200; afterMs += 10) {
    const pool = new TierPool(1, { modules: [] }, { maxHeapMb: undefined, clock })
    await setTimeout(afterMs)
    await pool.destroy()
  }
  const pool = new TierPool(1, { modules: [] }, { maxHeapMb: undefined, clock })
  await pool.serve({ port: new MessageChannel().port2 }, new AbortController().signal)
  await pool.destroy()
`

// Seen on Node 20.20 and 24.21, once in some hundred: `FATAL ERROR: v8::Module::IsGraphAsync`, or an assertion in
// CreateRequiredModuleFacade.
describe('the entry of a thread', () => {
  it('requires no ES module: where that is cut short, Node aborts the process', { timeout: 60_000 }, async () => {
    const { stderr } = await promisify(execFile)(process.execPath, [
      '--trace-require-module=all',
      '--input-type=module',
      '--eval',
      ENDED_EARLY,
    ])
    assert.equal(stderr, '')
  })
})
