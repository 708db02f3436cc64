import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LatestProgress } from '../../../runtime/desk/latest-progress.ts'

const MIB = 1024 * 1024

describe('the progress that jobs tell', () => {
  it('is the last value of each', () => {
    const progress = new LatestProgress()
    progress.told(1, '1')
    progress.told(2, '1')
    progress.told(1, '2')
    assert.deepEqual([progress.of(1), progress.of(2), progress.of(3)], ['2', '1', undefined])
  })

  it('is kept of so many jobs: who told nothing for longest is forgotten', () => {
    const progress = new LatestProgress()
    for (let number = 1; number <= 10_000; number++) progress.told(number, '1')
    progress.told(1, '2')
    progress.told(10_001, '1')
    assert.deepEqual([progress.of(1), progress.of(2), progress.of(3)], ['2', undefined, '1'])
  })

  it('is kept of so many bytes', () => {
    const progress = new LatestProgress()
    const value = 'x'.repeat(MIB)
    for (let time = 0; time < 20; time++) progress.told(1, value)
    for (let number = 2; number <= 9; number++) progress.told(number, value)
    assert.deepEqual([progress.of(1), progress.of(2), progress.of(9)], [undefined, value, value])
  })
})
