import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TEN_YEARS_MS } from '../../lib/options.ts'
import { defineTask, taskManifest } from '../../lib/task.ts'
import type { CustomBackoff } from '../../runtime/config/backoffs-config.ts'
import { resolveConfig, type RuntimeOptions } from '../../runtime/config/config.ts'
import { refuseUnknownBackoff, ToldBackoffs } from '../../runtime/custom-backoffs.ts'

const ERROR = { name: 'Error', message: 'no luck' }

/** Backoffs of a service in JavaScript, whom no compiler warns. */
function backoffsOf(backoffs: Record<string, unknown>) {
  const told: Error[] = []
  const configured = new Map(Object.entries(backoffs)) as unknown as ReadonlyMap<string, CustomBackoff>
  const customs = new ToldBackoffs(configured, (error) => told.push(error))
  return { told, delayOf: (name: string) => customs.get(name)(1, ERROR) }
}

describe('the backoffs of a service', () => {
  it('are told the attempt and the error', () => {
    const { told, delayOf } = backoffsOf({
      own: (attempt: number, error: unknown) => (error === ERROR ? attempt * 7 : 0),
    })
    assert.deepEqual([delayOf('own'), told], [7, []])
  })

  it('are told of once, each of them, where they return no milliseconds', () => {
    const { told, delayOf } = backoffsOf({
      text: () => '50',
      negative: () => -1,
      later: () => Promise.reject(new Error('it must not be left')),
    })
    for (const name of ['text', 'text', 'negative', 'later']) assert.equal(delayOf(name), undefined)
    assert.deepEqual(
      told.map(({ message }) => /backoffs\.\w+ cannot be used; got .*, expected/.exec(message)?.[0]),
      [
        'backoffs.text cannot be used; got "50", expected',
        'backoffs.negative cannot be used; got -1, expected',
        'backoffs.later cannot be used; got an object, expected',
      ],
    )
  })

  it('say how long to wait up to ten years, as a number', () => {
    const usable = [0, 0.5, TEN_YEARS_MS]
    for (const delayMs of usable) assert.equal(backoffsOf({ own: () => delayMs }).delayOf('own'), delayMs)
    for (const delayMs of [Number.NaN, Number.POSITIVE_INFINITY, TEN_YEARS_MS + 1, undefined, null]) {
      assert.equal(backoffsOf({ own: () => delayMs }).delayOf('own'), undefined)
    }
  })

  it('are told of with the cause where they throw', () => {
    const cause = new Error('boom')
    const { told, delayOf } = backoffsOf({
      broken() {
        throw cause
      },
    })
    assert.equal(delayOf('broken'), undefined)
    assert.deepEqual([told.length, told[0]?.cause], [1, cause])
  })

  it('are told of where a job names one that is not there, with the one that was meant', () => {
    const { told, delayOf } = backoffsOf({ steady: () => 50 })
    assert.equal(delayOf('stedy'), undefined)
    assert.match(told[0]?.message ?? '', /got "stedy", expected .* one of steady; did you mean steady\?/)
  })

  it('are refused at the start where a task names one that is not there', () => {
    const manifest = taskManifest(defineTask({ name: 'work', retry: { backoff: { type: 'custom', name: 'own' } } }))
    refuseUnknownBackoff(manifest, new Map([['own', () => 1]]))
    refuseUnknownBackoff(manifest, new Map())
    const others = new Map([['owl', () => 1]])
    const error = { code: 'MILLRACE_INVALID_OPTION', message: /of work .* got "own", .* did you mean owl/ }
    assert.throws(() => refuseUnknownBackoff(manifest, others), error)
  })
})

describe('options that are entries by name', () => {
  const journal = { file: ':memory:' }
  const refused = (options: object, path: string) =>
    assert.throws(() => resolveConfig({ tasks: '/tasks.js', journal, ...options } as unknown as RuntimeOptions), {
      code: 'MILLRACE_INVALID_OPTION',
      path,
    })

  it('are refused where they are nothing, a list or no object', () => {
    for (const option of ['tiers', 'lanes', 'backoffs']) {
      for (const value of [null, [], 5]) refused({ [option]: value }, option)
    }
  })

  it('are refused where a backoff is no function', () => refused({ backoffs: { x: 5 } }, 'backoffs.x'))
})
