import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { faults, Tally, type Verdict } from './tally.ts'

const KEY = 'publisher0.1.0.7'
const PUBLISHED = [`try ${KEY} publisher0.1 100 .`, `ack ${KEY} id publisher0.1 110 .`]
const HOME = ['home - id publisher0.1 300 .', `kept ${KEY} id right publisher0.1 9000 .`]

function verdictOf(...lines: readonly string[]): Verdict {
  const tally = new Tally()
  for (const line of lines) tally.read(line.split(' '))
  return tally.verdict()
}

/** The faults that are found, without their numbers. */
function faultsIn(...lines: readonly string[]): readonly string[] {
  const verdict = verdictOf(...lines)
  return faults.filter((fault) => verdict[fault] > 0)
}

function run(life: string, at: number, end: 'ends' | 'is cut' = 'ends', key = KEY, id = 'id'): string[] {
  const start = `start ${key} ${id} 1 ${life} ${at} .`
  return end === 'ends' ? [start, `end ${key} ${id} 1 ${life} ${at + 10} .`] : [start]
}

describe('the ledger of a siege', () => {
  it('has no fault where each job runs once and its outcome is home', () => {
    assert.deepEqual(faultsIn(...PUBLISHED, ...run('worker0.1', 200), ...HOME), [])
  })

  it('finds what was acknowledged and has not run to an end', () => {
    assert.deepEqual(faultsIn(...PUBLISHED, ...run('worker0.1', 200, 'is cut'), ...HOME), ['lost'])
  })

  it('finds an outcome that is not home, and one that is not that of the run', () => {
    assert.deepEqual(faultsIn(...PUBLISHED, ...run('worker0.1', 200)), ['away'])
    const wrong = HOME.map((line) => line.replace('right', 'wrong'))
    assert.deepEqual(faultsIn(...PUBLISHED, ...run('worker0.1', 200), ...wrong), ['wrong'])
  })

  it('finds what runs and was never asked for, and what is dead', () => {
    assert.deepEqual(faultsIn(...run('worker0.1', 200)), ['unexpected'])
    assert.deepEqual(faultsIn(...PUBLISHED, ...run('worker0.1', 200), ...HOME, 'dead - id worker0.1 250 .'), ['dead'])
  })

  it('finds a child that its parent has committed and nobody has run', () => {
    const family = [...PUBLISHED, ...run('worker0.1', 200), ...HOME].map((line) => line.replace(KEY, `${KEY}.family`))
    const child = (at: number) => run('worker1.1', 210, 'ends', `${KEY}.family/${at}`, `child${at}`)
    assert.deepEqual(faultsIn(...family, ...child(0)), ['lost'])
    assert.deepEqual(faultsIn(...family, ...child(0), ...child(1)), [])
  })

  it('counts what was begun by one that was killed, and ended by another', () => {
    const cut = [...PUBLISHED, ...run('worker0.1', 200, 'is cut'), 'kill worker0.1 205 206 .', ...run('worker1.1', 220)]
    const { recovered, duplicated, reruns, unexplained } = verdictOf(...cut, ...HOME)
    assert.deepEqual([recovered, duplicated, reruns, unexplained], [1, 0, 1, 0])
  })

  it('finds a job that runs again although nobody was killed who had to do with it', () => {
    const twice = [...PUBLISHED, ...run('worker0.1', 200), ...run('worker1.1', 220), ...HOME]
    assert.deepEqual(faultsIn(...twice), ['unexplained'])
    for (const kill of ['worker2.1 205 206', 'worker0.1 -3000 -2900', 'broker0.1 240 250', 'broker0.1 8000 8010']) {
      assert.deepEqual(faultsIn(...twice, `kill ${kill} .`), ['unexplained'], kill)
    }
    for (const kill of ['worker0.1 212 215', 'broker0.1 150 160', 'publisher0.1 150 160']) {
      assert.deepEqual(faultsIn(...twice, `kill ${kill} .`), [], kill)
    }
  })

  it('finds more runs than kills can bring', () => {
    const runs = [200, 220, 240, 260].flatMap((at) => run(`worker${at}.1`, at))
    assert.deepEqual(faultsIn(...PUBLISHED, ...runs, ...HOME, 'kill broker0.1 150 160 .'), ['unexplained'])
    assert.deepEqual(
      faultsIn(...PUBLISHED, ...runs, ...HOME, 'kill broker0.1 150 160 .', 'kill broker0.2 180 190 .'),
      [],
    )
  })
})
