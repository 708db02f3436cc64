import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type PreparedJob, prepareJob } from '../../lib/enqueue.ts'
import { readExtra, readOverrides } from '../../lib/job-extra.ts'
import { defineTask, type EnqueueOptions } from '../../lib/task.ts'

const task = defineTask<null>({ name: 'a.b' })
const NOW = 1_700_000_000_000
const CORRUPT = { code: 'MILLRACE_PAYLOAD_CORRUPT' }

const duration = fc.double({ min: 0, max: 1e9, noNaN: true }).map(Math.abs)

const options = fc.record(
  {
    priority: fc.integer({ min: 0, max: 9 }),
    delayMs: duration,
    // Later than any delay here: a job that could only expire is refused.
    expiresAt: duration.map((ms) => 2 * NOW + ms),
    key: fc.oneof(
      fc.string({ minLength: 1, maxLength: 20 }),
      fc.record({ key: fc.string({ minLength: 1, unit: 'grapheme' }), scope: duration }),
    ),
    retry: fc.record({
      attempts: fc.integer({ min: 1, max: 1_000 }),
      backoff: fc.constantFrom(
        { type: 'fixed', delayMs: 5, jitter: 'full' } as const,
        { type: 'list', delaysMs: [1, 2.5] } as const,
        { type: 'custom', name: 'mine' } as const,
        { type: 'exponential', maxMs: 5_000 } as const,
      ),
      giveUpOn: fc.array(fc.string()),
    }),
    // Up to the hard one of the task.
    softLimitMs: fc.integer({ min: 1, max: 30_000 }),
    keepResultMs: fc.integer({ min: 1, max: 1e9 }),
    metadata: fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      fc.string(),
      { noNullPrototype: true },
    ),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<EnqueueOptions>

const limited = defineTask<null>({
  name: 'a.c',
  useByMs: 5_000,
  concurrency: { limit: 2, by: () => 'a "key"' },
  rate: { limit: 2, perMs: 1_000, by: () => -0.5 },
  fair: { by: () => '' },
})

describe('the rare parts of a job', () => {
  it('are read as they were written of a task with limits', () => {
    const { extra } = prepareJob(limited, null, { key: { key: 'k', debounceMs: 5 } }, { now: () => NOW }) as PreparedJob
    assert.equal(extra?.part, '{"c":"a \\"key\\"","r":-0.5,"f":""}')
    assert.deepEqual(readExtra(JSON.stringify(extra)), extra)
  })

  it('are read as they were written', () => {
    fc.assert(
      fc.property(options, (given) => {
        const { extra } = prepareJob(task, null, given, { now: () => NOW }) as PreparedJob
        if (extra === null) return
        assert.deepEqual(readExtra(JSON.stringify(extra)), extra)
        if (extra.overrides === undefined) return
        assert.deepEqual(readOverrides(extra.overrides), JSON.parse(extra.overrides))
      }),
    )
  })

  for (const extra of [
    '',
    'no json',
    'null',
    '[]',
    '5',
    '"text"',
    '{"priority":99}',
    '{"priority":-5}',
    '{"priority":4.5}',
    '{"priority":null}',
    '{"dueAt":"x"}',
    '{"dueAt":1e300}',
    '{"expiresAt":-1}',
    '{"key":5}',
    '{"key":""}',
    '{"key":"\\ud800"}',
    '{"key":"k","keyWindowMs":"long"}',
    '{"useByMs":"soon"}',
    '{"debounce":"no"}',
    '{"part":5}',
    '{"part":"no json"}',
    '{"part":"[]"}',
    '{"part":"{\\"c\\": 1}"}',
    '{"part":"{\\"x\\":1}"}',
    '{"part":"{\\"c\\":{}}"}',
    '{"overrides":"no json"}',
    '{"overrides":"null"}',
    '{"overrides":{}}',
    '{"overrides":"{\\"retry\\":5}"}',
    '{"overrides":"{\\"retry\\":{\\"attempts\\":0}}"}',
    '{"overrides":"{\\"softLimitMs\\":\\"x\\"}"}',
    '{"overrides":"{\\"metadata\\":[]}"}',
    '{"overrides":"{\\"strange\\":1}"}',
    '{"strange":1}',
    '{"__proto__":{"priority":99}}',
  ]) {
    it(`are refused when nobody can have written them: ${extra}`, () => {
      assert.throws(() => readExtra(extra), CORRUPT)
    })
  }
})
