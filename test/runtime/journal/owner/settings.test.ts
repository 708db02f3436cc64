import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { Settings } from '../../../../runtime/journal/owner/settings.ts'
import { openLoopJournal } from '../../../helpers/loop-journal.ts'

describe('settings', () => {
  it('are there for the next owner', async (test) => {
    const { journal, reopen } = await openLoopJournal(test, new ManualClock(1_000))
    await journal.settings.set('pause.place.feed', true)
    await journal.settings.set('tier.mail', { tier: 'fast', since: 5 })
    await journal.settings.set('pause.place.feed', undefined)
    const next = await reopen()
    assert.equal(next.settings.get('pause.place.feed'), undefined)
    assert.deepEqual(next.settings.get('tier.mail'), { tier: 'fast', since: 5 })
    assert.deepEqual([...next.settings.beginningWith('tier.')], [['mail', { tier: 'fast', since: 5 }]])
  })

  it('are as if they were not there where somebody has written what is no JSON', () => {
    const settings = new Settings(() => Promise.reject(new Error('nothing is asked')))
    settings.begin([
      ['a', '{'],
      ['b', '1'],
    ])
    assert.equal(settings.get('a'), undefined)
    assert.equal(settings.get('b'), 1)
  })

  it('reject with the error that kept them from being written', async () => {
    const settings = new Settings(async () => ({ type: 'failed', error: { name: 'Error', message: 'no room' } }))
    await assert.rejects(settings.set('a', 1), /no room/)
  })
})
