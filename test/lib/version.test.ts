import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepareJob } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import { readOverrides } from '../../lib/job-extra.ts'
import { defineTask, taskManifest } from '../../lib/task.ts'
import { tooNew, upgraded } from '../../lib/version.ts'

const clock = { now: () => 0 }
const upgrade = (input: unknown, from: number) => `${String(input)} ${from}`
const third = defineTask<string>({ name: 'third', version: 3, upgrade })

function prepared(task: Parameters<typeof prepareJob>[0], options?: Parameters<typeof prepareJob>[2]) {
  const job = prepareJob(task, 'x', options, clock)
  assert.ok(!(job instanceof Promise))
  return job
}

describe('the options version and upgrade', () => {
  const refused = (options: object) => {
    try {
      defineTask({ name: 'a', ...options } as Parameters<typeof defineTask>[0])
    } catch (error) {
      assert.ok(error instanceof MillraceError)
      return [error.code, error.path]
    }
    return assert.fail('not refused')
  }

  it('belong together', () => {
    assert.deepEqual(refused({ version: 2 }), ['MILLRACE_INVALID_OPTION', 'upgrade'])
    assert.deepEqual(refused({ upgrade }), ['MILLRACE_INVALID_OPTION', 'upgrade'])
    assert.deepEqual(refused({ version: 2, upgrade: 'x' }), ['MILLRACE_INVALID_OPTION', 'upgrade'])
  })

  it('are refused where the version is no integer from 1', () => {
    for (const version of [0, -1, 1.5, Number.NaN, '2', 1e9]) {
      assert.deepEqual(refused({ version, upgrade }), ['MILLRACE_INVALID_OPTION', 'version'])
    }
  })

  it('leave nothing in a task of the first version, and no function in what crosses threads', () => {
    assert.deepEqual(
      Object.keys(defineTask<string>({ name: 'a', version: 1 })),
      Object.keys(defineTask<string>({ name: 'a' })),
    )
    assert.equal(taskManifest(third).version, 3)
    assert.doesNotThrow(() => structuredClone(taskManifest(third)))
  })
})

describe('the version of a job', () => {
  it('is written only where it is above 1', () => {
    assert.equal(prepared(defineTask<string>({ name: 'a' })).extra, null)
    assert.equal(prepared(defineTask<string>({ name: 'a' }), { priority: 4 }).extra, null)
    assert.deepEqual(JSON.parse(prepared(third).extra?.overrides ?? ''), { version: 3 })
    assert.deepEqual(JSON.parse(prepared(third, { metadata: { a: 'b' } }).extra?.overrides ?? ''), {
      metadata: { a: 'b' },
      version: 3,
    })
  })

  it('is read back, and refused where somebody else has written nonsense', () => {
    assert.deepEqual(readOverrides('{"version":3}'), { version: 3 })
    for (const version of ['"3"', '0', '1e30', 'null', '{}']) {
      assert.throws(() => readOverrides(`{"version":${version}}`), { code: 'MILLRACE_PAYLOAD_CORRUPT' })
    }
  })

  it('is no option of enqueue', () => {
    assert.throws(() => prepared(third, { version: 1 } as object), { code: 'MILLRACE_UNKNOWN_OPTION' })
  })

  it('is too new where it is above that of the task', () => {
    assert.deepEqual(
      [undefined, 1, 2, 3, 4].map((version) => tooNew(taskManifest(third), version)),
      [false, false, false, false, true],
    )
    assert.deepEqual(
      [undefined, 1, 2].map((version) => tooNew({}, version)),
      [false, false, true],
    )
  })

  it('decides what is upgraded, and what is left alone', () => {
    assert.equal(upgraded(third, 'x', undefined), 'x 1')
    assert.equal(upgraded(third, 'x', 2), 'x 2')
    assert.equal(upgraded(third, 'x', 3), 'x')
  })
})
