import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Reopening } from '../../../../runtime/journal/owner/reopening.ts'
import type { JournalFault } from '../../../../runtime/journal/protocol.ts'

type Fault = readonly [kind: JournalFault['kind'] | undefined, atMs: number, writes: number]

const MINUTE_MS = 60_000

function stepsOf(...faults: readonly Fault[]): string[] {
  const reopening = new Reopening()
  return faults.map(([kind, at, writes]) => reopening.next(kind, at, writes).type)
}

describe('a journal whose disk fails', () => {
  it('has callers refused also where each fault takes its time', () => {
    assert.deepEqual(stepsOf(['io', 0, 5], ['io', 30_000, 5], ['io', 61_000, 5]), ['open', 'pause', 'pause'])
  })

  it('has them refused as soon as the fault is of another kind, as it is for the first', () => {
    assert.deepEqual(stepsOf(['io', 0, 5], ['disk-full', 100, 5]), ['open', 'pause'])
  })

  it('is opened at once where it has written since', () => {
    assert.deepEqual(stepsOf(['io', 0, 5], ['io', 30_000, 6]), ['open', 'open'])
  })

  it('has them refused where it takes some and fails again and again', () => {
    assert.deepEqual(stepsOf(['io', 0, 5], ['io', 500, 6], ['io', 1_500, 7]), ['open', 'pause', 'pause'])
  })

  it('is opened at once where it had nothing to write for a long time', () => {
    assert.deepEqual(stepsOf(['io', 0, 5], ['io', 60 * MINUTE_MS, 5]), ['open', 'open'])
  })
})

describe('a journal that is damaged', () => {
  it('is left alone once the damage is met again, whatever else failed in between', () => {
    assert.deepEqual(stepsOf(['corrupt', 0, 5], ['io', 100, 5], ['corrupt', 200, 5]), ['open', 'open', 'give-up'])
  })

  it('is left alone also where it is met once a minute, between commits', () => {
    assert.deepEqual(stepsOf(['corrupt', 0, 5], ['corrupt', MINUTE_MS, 900]), ['open', 'give-up'])
  })

  it('is read again where that was long ago', () => {
    assert.deepEqual(stepsOf(['corrupt', 0, 5], ['corrupt', 60 * MINUTE_MS, 900]), ['open', 'open'])
  })
})

describe('a journal whose thread ends for no fault of the disk', () => {
  it('is opened three times in ten seconds', () => {
    const ends = [0, 1, 2, 3].map((at): Fault => ['other', at, at])
    assert.deepEqual(stepsOf(...ends), ['open', 'open', 'open', 'give-up'])
  })
})
