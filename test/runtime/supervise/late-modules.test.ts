import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock, type Clock } from '../../../lib/clock.ts'
import { boot, systemGround } from '../../../runtime/boot.ts'
import { resolveConfig } from '../../../runtime/config/config.ts'
import type { RuntimeOptions } from '../../../runtime/index.ts'
import { LOADING_MS } from '../../../runtime/places/in-time.ts'

/** On which a minute for modules to load is half a second. */
const hasty: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs === LOADING_MS ? 500 : delayMs, callback),
}

const neverLoaded = new URL('../../fixtures/never-loaded.js', import.meta.url)

function start(options: Partial<RuntimeOptions>) {
  const config = resolveConfig({ tasks: neverLoaded, journal: { file: ':memory:' }, lanes: {}, ...options })
  return boot(config, { ...systemGround(), clock: hasty })
}

describe('modules that never load', () => {
  const places: Readonly<Record<string, Partial<RuntimeOptions>>> = {
    'on threads': { tiers: { default: { threads: 2 } } },
    'in processes': { tiers: { default: { processes: 1 } } },
    'on the loop': { tiers: { default: { threads: 1 } }, lanes: { network: { concurrency: 1 } } },
  }
  for (const [where, options] of Object.entries(places)) {
    it(`fail the start, which says so: ${where}`, { timeout: 60_000 }, async () => {
      await assert.rejects(start(options), {
        code: 'MILLRACE_TASKS_MODULE',
        message: /the tasks modules have not loaded for (default|network) within 60000 ms/,
      })
    })
  }
})
