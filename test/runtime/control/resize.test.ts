import assert from 'node:assert/strict'
import { it } from 'node:test'
import { placeSize } from '../../../runtime/control/resize.ts'

it('a size names threads or concurrency, and what is undefined is left out', () => {
  const both = { threads: 2, concurrency: 3 } as never
  assert.throws(() => placeSize(both), { code: 'MILLRACE_INVALID_OPTION', path: 'concurrency', message: /got 3/ })
  const onlyOne = { threads: undefined, concurrency: 3 } as never
  assert.deepEqual(placeSize(onlyOne), { type: 'concurrency', concurrency: 3 })
  assert.throws(() => placeSize({} as never), { code: 'MILLRACE_INVALID_OPTION', path: 'concurrency' })
})
