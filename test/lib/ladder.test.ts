import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Ladder, type Move, nextMove, SPIKE, type Standing } from '../../lib/ladder.ts'

const ladder: Ladder = {
  rungs: [
    { tier: 'fast', budgetMs: 100 },
    { tier: 'default', budgetMs: 1_000 },
    { tier: 'slow', budgetMs: Number.POSITIVE_INFINITY },
  ],
  minRuns: 50,
  coolDownMs: 60_000,
}

const NOW = 1_000_000_000

function standing(facts: Partial<Standing>): Standing {
  const p95Ms = facts.p95Ms ?? 10
  return { tier: 'default', movedAt: undefined, demotions: 0, runs: 50, p95Ms, longestMs: p95Ms, ...facts }
}

const moveOf = (facts: Partial<Standing>, now = NOW): [string, string] | undefined => {
  const move = nextMove(ladder, standing(facts), now)
  return move && [move.to, move.evidence.reason]
}

describe('a task on a ladder of tiers', () => {
  it('climbs to the fastest tier whose budget it keeps with headroom, once enough runs say so', () => {
    assert.deepEqual(moveOf({ p95Ms: 10 }), ['fast', 'fits'])
    assert.deepEqual(moveOf({ tier: 'slow', p95Ms: 500 }), ['default', 'fits'])
    assert.deepEqual(moveOf({ tier: 'slow', p95Ms: 5 }), ['fast', 'fits'])
    assert.equal(moveOf({ p95Ms: 10, runs: 49 }), undefined)
    assert.equal(moveOf({ p95Ms: 81 }), undefined)
  })

  it('does not climb while one run in its memory would hold up the tier above', () => {
    assert.equal(moveOf({ p95Ms: 3, longestMs: 2_000 }), undefined)
    assert.deepEqual(moveOf({ p95Ms: 3, longestMs: 999 }), ['fast', 'fits'])
  })

  it('falls as soon as its p95 is over the budget, as far as it has to', () => {
    assert.deepEqual(moveOf({ tier: 'fast', p95Ms: 101 }), ['default', 'exceeds'])
    assert.deepEqual(moveOf({ tier: 'fast', p95Ms: 3_000, longestMs: 900 }), ['slow', 'exceeds'])
    assert.equal(moveOf({ tier: 'fast', p95Ms: 101, runs: 49 }), undefined)
  })

  it('falls at once for one run that is many times over the budget, whatever else is known', () => {
    const long = { tier: 'fast', runs: 1, p95Ms: 2, longestMs: 100 * SPIKE + 1 }
    assert.deepEqual(moveOf(long), ['default', 'spike'])
    assert.deepEqual(moveOf({ ...long, movedAt: NOW - 1 }), ['default', 'spike'])
    assert.deepEqual(moveOf({ ...long, longestMs: 100_000 }), ['slow', 'spike'])
    assert.equal(moveOf({ ...long, tier: 'slow' }), undefined)
  })

  it('waits for its cool-down before it climbs again, twice as long after each fall', () => {
    const fallen = { p95Ms: 10, movedAt: NOW, demotions: 2 }
    assert.equal(moveOf(fallen, NOW + 239_999), undefined)
    assert.deepEqual(moveOf(fallen, NOW + 240_000), ['fast', 'fits'])
  })

  it('is borne with over its budget for one cool-down, however often it has fallen', () => {
    for (const demotions of [0, 1, 6]) {
      const over = { tier: 'fast', p95Ms: 140, movedAt: NOW, demotions }
      assert.equal(moveOf(over, NOW + 59_999), undefined)
      assert.deepEqual(moveOf(over, NOW + 60_000), ['default', 'exceeds'])
    }
    assert.deepEqual(moveOf({ tier: 'fast', p95Ms: 151, movedAt: NOW }, NOW + 1), ['default', 'exceeds'])
  })

  it('is not kept down by a clock that was set back', () => {
    assert.deepEqual(moveOf({ p95Ms: 10, movedAt: NOW }, NOW - 60_000), ['fast', 'fits'])
  })

  it('stays where no rung of the ladder is', () => {
    assert.equal(moveOf({ tier: 'heavy', p95Ms: 1 }), undefined)
  })

  it('says what was measured, and against which budget', () => {
    const { from, evidence } = nextMove(ladder, standing({ p95Ms: 12, runs: 70 }), NOW) as Move
    assert.equal(from, 'default')
    assert.deepEqual(evidence, { reason: 'fits', p95Ms: 12, runs: 70, longestMs: 12, budgetMs: 100 })
  })
})

/** Lives of a task: at each look some time has passed and its p95 is what it is then; runs are enough at every look. */
function movesOf(looks: readonly { readonly afterMs: number; readonly p95Ms: number }[]): { at: number; move: Move }[] {
  const moves: { at: number; move: Move }[] = []
  let state = { tier: 'default', movedAt: undefined as number | undefined, demotions: 0 }
  let now = NOW
  for (const { afterMs, p95Ms } of looks) {
    now += afterMs
    const move = nextMove(ladder, { ...state, runs: 50, p95Ms, longestMs: p95Ms }, now)
    if (move === undefined) continue
    moves.push({ at: now, move })
    const fell = move.evidence.reason === 'fits' ? 0 : 1
    state = { tier: move.to, movedAt: now, demotions: state.demotions + fell }
  }
  return moves
}

describe('a p95 that wanders around a budget', () => {
  it('moves its task at most once in a cool-down, and up at most once in one that doubles with each fall', () => {
    const noise = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 5_000 }), p95Ms: fc.integer({ min: 60, max: 149 }) }),
      {
        minLength: 1,
        maxLength: 300,
      },
    )
    fc.assert(
      fc.property(noise, (looks) => {
        const moves = movesOf(looks)
        for (let at = 1; at < moves.length; at++) {
          assert.ok((moves[at]?.at as number) - (moves[at - 1]?.at as number) >= ladder.coolDownMs)
        }
        const climbs = moves.filter(({ move }) => move.evidence.reason === 'fits')
        for (let at = 1; at < climbs.length; at++) {
          // A fall lies between any two, since there is no tier above `fast`.
          const leastMs = ladder.coolDownMs * 2 ** Math.min(at, 6)
          assert.ok((climbs[at]?.at as number) - (climbs[at - 1]?.at as number) >= leastMs)
        }
      }),
    )
  })

  it('never moves a task to where it is, and only down for a reason to fall', () => {
    const looks = fc.array(fc.record({ afterMs: fc.nat(200_000), p95Ms: fc.integer({ min: 1, max: 20_000 }) }), {
      maxLength: 100,
    })
    const rungOf = (tier: string) => ladder.rungs.findIndex((rung) => rung.tier === tier)
    fc.assert(
      fc.property(looks, (each) => {
        for (const { move } of movesOf(each)) {
          const down = rungOf(move.to) > rungOf(move.from)
          assert.notEqual(move.from, move.to)
          assert.equal(down, move.evidence.reason !== 'fits')
        }
      }),
    )
  })
})
