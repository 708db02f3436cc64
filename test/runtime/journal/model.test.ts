import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Ledger } from '../../../runtime/journal/store/ledger.ts'
import { alter } from '../../helpers/altered-statement.ts'
import { Play, step, type Step } from '../../helpers/journal-steps.ts'

const steps = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' })

function play(steps: readonly Step[], plant?: (ledger: Ledger) => void): void {
  const game = new Play(plant)
  for (const each of steps) game.run(each)
  game.driver.db.close()
}

/** Faults, each of which loses or doubles work in a way that a user would notice. */
const faults: Readonly<Record<string, (ledger: Ledger) => void>> = {
  'an outcome of an older claim ends a job without a trace': (ledger) => {
    alter(ledger, 'finish', 'claim = ?', '? IS NOT NULL')
    alter(ledger, 'drop', 'claim = ?', '? IS NOT NULL')
  },
  'an outcome of an older claim ends a job': (ledger) => alter(ledger, 'settle', 'claim = ?', '? IS NOT NULL'),
  'an owner that was replaced goes on writing': (ledger) => alter(ledger, 'stamp', 'epoch = ?', '? IS NOT NULL'),
  'the key of a job that has ended stays taken': (ledger) => {
    alter(ledger, 'freeKey', 'WHERE', 'WHERE 0 AND')
    alter(ledger, 'giveUpKey', 'WHERE', 'WHERE 0 AND')
  },
  'a claim does not raise the number of the claim': (ledger) => {
    alter(ledger, 'claimUpTo', 'claim = claim + 1', 'claim = claim')
  },
  'what has become due is given the same order number twice': (ledger) => {
    alter(ledger, 'becomeAvailable', 'ord = ?', 'ord = ? - 1')
  },
  'a job is expired that has been claimed': (ledger) =>
    alter(ledger, 'overdue', 'state IN (0, 1)', 'state IN (0, 1, 2)'),
}

describe('the journal', () => {
  it('does what its model does, whatever happens to it', () => {
    fc.assert(
      fc.property(steps, (each) => play(each)),
      { numRuns: 1_500, includeErrorInReport: true },
    )
  })

  for (const [fault, plant] of Object.entries(faults)) {
    it(`does not when ${fault} (control)`, () => {
      const { failed, errorInstance } = fc.check(
        fc.property(steps, (each) => play(each, plant)),
        { numRuns: 1_000, endOnFailure: true },
      )
      assert.ok(failed, 'the model has not found it')
      assert.ok(
        errorInstance instanceof assert.AssertionError || 'code' in (errorInstance as Error),
        String(errorInstance),
      )
    })
  }
})
