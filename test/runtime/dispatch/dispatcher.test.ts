import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Dispatcher } from '../../../runtime/dispatch/dispatcher.ts'
import type { ClaimedJob, DispatcherQuestion, Ended } from '../../../runtime/messages.ts'
import { claimOf, claimsOf, numbersOf } from '../../helpers/claims.ts'
import { SlotPlace } from '../../helpers/slot-place.ts'

/** A dispatcher in front of places with so many slots each; task n runs in place n. */
function dispatcherOf(...slots: readonly number[]) {
  const clock = new ManualClock(1_000)
  const places = slots.map((each) => new SlotPlace(each))
  const stopped = new Map<number, Error>()
  const paused = new Set<number>()
  const undispatched = new Map<readonly ClaimedJob[], number | undefined>()
  const asked = new Set<DispatcherQuestion>()
  const wishes = new Set<number>()
  /** Tasks that run elsewhere than in the place of their number. */
  const moved = new Map<number, number>()
  const ended: (Ended & { readonly place: number })[] = []
  const dispatcher = new Dispatcher({
    clock,
    places,
    stopped,
    undispatched,
    asked,
    wishes,
    placeOf: ({ task }) => moved.get(task) ?? (task < places.length ? task : -1),
    isHeld: ({ task }) => paused.has(task),
    ended: (place, group) => void ended.push(...group.map((each) => ({ place, ...each }))),
  })
  const claim = (...jobs: readonly ClaimedJob[]) => {
    undispatched.set(jobs, undefined)
    dispatcher.receive({ type: 'claimed', jobs })
  }
  const putBack = (jobs: readonly ClaimedJob[]) => {
    undispatched.set(jobs, 0)
    dispatcher.receive({ type: 'put-back', place: 0, jobs })
  }
  const endings = () => ended.map(({ place, job, outcome }) => [place, job.number, outcome.type])
  return {
    clock,
    stopped,
    paused,
    undispatched,
    wishes,
    moved,
    places,
    place: places[0] as SlotPlace,
    asked,
    dispatcher,
    claim,
    putBack,
    ended,
    endings,
  }
}

describe('the dispatcher', () => {
  it("offers claims to their task's place, as many as it has slots for", () => {
    const { places, dispatcher, claim } = dispatcherOf(2, 1)
    claim(...claimsOf(4), claimOf({ ord: 9, task: 1 }))
    assert.deepEqual(
      places.map((place) => numbersOf(place.claims())),
      [[1, 2], [9]],
    )
    assert.deepEqual([dispatcher.held, numbersOf(dispatcher.jobs())], [2, [3, 4]])
  })

  it('offers the next when a place has room again', () => {
    const { place, dispatcher, claim } = dispatcherOf(1)
    claim(...claimsOf(3))
    place.finish(1)
    dispatcher.receive({ type: 'room', place: 0 })
    assert.deepEqual(numbersOf(place.claims()), [2])
    dispatcher.receive({ type: 'room', place: 0 })
    assert.deepEqual([numbersOf(place.claims()), dispatcher.held], [[2], 1])
  })

  it('leaves a place alone that it has nothing for', () => {
    const { place, dispatcher } = dispatcherOf(1)
    dispatcher.receive({ type: 'room', place: 0 })
    assert.equal(place.pulls, 0)
  })

  it('does not start what somebody wants cancelled, wherever it was when that was said', () => {
    const { place, dispatcher, claim, wishes, endings } = dispatcherOf(1)
    wishes.add(2).add(3)
    claim(...claimsOf(4))
    place.finish(1)
    dispatcher.receive({ type: 'room', place: 0 })
    assert.deepEqual(
      [numbersOf(place.claims()), endings()],
      [
        [4],
        [
          [0, 2, 'cancelled'],
          [0, 3, 'cancelled'],
        ],
      ],
    )
  })

  it('does not start a job whose row was damaged', () => {
    const { place, claim, ended } = dispatcherOf(4)
    const damaged = ['no json', 'null', '{"softLimitMs":"x"}'].map((overrides, at) =>
      claimOf({ ord: at + 1, extra: { overrides } }),
    )
    claim(...damaged, claimOf({ ord: 9, extra: { overrides: '{"softLimitMs":5}' } }))
    assert.deepEqual(numbersOf(place.claims()), [9])
    assert.equal(ended.length, 3)
    for (const { outcome } of ended) {
      assert.ok(outcome.type === 'failed' && outcome.retry === 'never')
      assert.equal(outcome.error.code, 'MILLRACE_PAYLOAD_CORRUPT')
    }
  })

  it('ends what may not start any more instead of offering it', () => {
    const { clock, place, dispatcher, claim, endings } = dispatcherOf(1)
    const expiring = (ord: number, expiresAt: number) => claimOf({ ord, extra: { expiresAt } })
    claim(claimOf({ ord: 1 }), expiring(2, 1_010), expiring(3, 1_011), expiring(4, 1_010))
    clock.advance(10)
    place.finish(1)
    dispatcher.receive({ type: 'room', place: 0 })
    assert.deepEqual(numbersOf(place.claims()), [3])
    place.finish(3)
    dispatcher.receive({ type: 'room', place: 0 })
    assert.deepEqual(endings(), [
      [0, 2, 'expired'],
      [0, 4, 'expired'],
    ])
    assert.equal(dispatcher.held, 0)
  })

  it('has what was offered recalled when something outranks the whole hand', () => {
    const { place, claim } = dispatcherOf(1)
    claim(...claimsOf(3, { rank: 5 }))
    place.recalls.length = 0
    claim(claimOf({ ord: 9, rank: 5 }))
    assert.deepEqual(place.recalls, [], 'nothing waits behind what is offered that comes first')
    claim(claimOf({ ord: 10, rank: 2 }))
    assert.deepEqual(place.recalls, [[1]])
  })

  it('offers what was put back before what came after it, in its old order', () => {
    const { place, claim, putBack } = dispatcherOf(3)
    claim(...claimsOf(5))
    const back = place.giveUp()
    place.slots = 4
    putBack(back)
    assert.deepEqual(numbersOf(place.claims()), [1, 2, 3, 4])
  })

  it('takes jobs out of whichever hand they are in, which need not be that of their task any more', () => {
    const { dispatcher, claim, moved } = dispatcherOf(0, 0)
    claim(claimOf({ ord: 1 }), claimOf({ ord: 2, task: 1 }))
    moved.set(1, 0)
    claim(claimOf({ ord: 3 }), claimOf({ ord: 4 }))
    const removed: unknown[] = []
    const remove = (...numbers: readonly number[]) =>
      dispatcher.receive({
        type: 'remove',
        numbers: new Set(numbers),
        answer: (from) => void removed.push(from.map(({ place, job }) => [place, job.number])),
      })
    remove(2)
    remove(2, 7)
    remove(4, 1, 2)
    assert.deepEqual(removed, [
      [[1, 2]],
      [],
      [
        [0, 1],
        [0, 4],
      ],
    ])
    assert.deepEqual(numbersOf(dispatcher.jobs()), [3])
  })

  it('takes jobs out of the slots that they were offered to, unless they have begun', () => {
    const { dispatcher, claim, places } = dispatcherOf(1, 2)
    claim(claimOf({ ord: 1 }), claimOf({ ord: 2, task: 1 }), claimOf({ ord: 3, task: 1 }))
    places[1]?.begin(3)
    const removed: unknown[] = []
    dispatcher.receive({ type: 'remove', numbers: new Set([2, 3]), answer: (from) => void removed.push(...from) })
    assert.deepEqual(removed, [{ place: 1, job: claimOf({ ord: 2, task: 1 }) }])
    assert.deepEqual(
      places.map((place) => numbersOf(place.claims())),
      [[1], [3]],
    )
  })

  it('gives back what it holds when it stops, and leaves what was offered to its place', () => {
    const { dispatcher, claim, endings, ended } = dispatcherOf(1, 0)
    claim(...claimsOf(2), claimOf({ ord: 3, task: 1 }))
    dispatcher.stop()
    assert.deepEqual(endings(), [
      [0, 2, 'interrupted'],
      [1, 3, 'interrupted'],
    ])
    assert.deepEqual([ended[0]?.startedAt, ended[0]?.endedAt], [undefined, undefined])
    assert.equal(dispatcher.held, 0)
  })

  it('takes over what was told and not read, and keeps nothing of it among that', () => {
    const { dispatcher, undispatched, place, putBack, endings } = dispatcherOf(1)
    const [first, second] = [claimsOf(1), [claimOf({ ord: 2 })]]
    undispatched.set(first, undefined).set(second, undefined)
    dispatcher.start()
    assert.deepEqual([numbersOf(place.claims()), numbersOf(dispatcher.jobs()), undispatched.size], [[1], [2], 0])
    const third = [claimOf({ ord: 3 })]
    putBack(third)
    assert.equal(undispatched.size, 0)
    undispatched.set([claimOf({ ord: 4 })], undefined)
    dispatcher.stop()
    assert.deepEqual(
      endings().map(([, number]) => number),
      [2, 3, 4],
    )
  })

  it('takes once what it was told of before its start', () => {
    const { dispatcher, undispatched, place } = dispatcherOf(2)
    const [claimed, back] = [claimsOf(1), [claimOf({ ord: 2 })]]
    undispatched.set(claimed, undefined).set(back, 0)
    dispatcher.start()
    dispatcher.receive({ type: 'claimed', jobs: claimed })
    dispatcher.receive({ type: 'put-back', place: 0, jobs: back })
    assert.deepEqual([numbersOf(place.claims()), dispatcher.held], [[1, 2], 0])
  })

  it('answers what it was asked and has not read when it ends, once it holds nothing any more', () => {
    const { dispatcher, asked, claim } = dispatcherOf(0)
    claim(claimOf())
    const answers: unknown[] = []
    const answer = (removed?: unknown) => void answers.push(removed, dispatcher.held)
    const read: DispatcherQuestion = { type: 'pauses-changed', answer }
    asked
      .add(read)
      .add({ type: 'remove', numbers: new Set([1]), answer })
      .add({ type: 'pauses-changed', answer })
    dispatcher.receive(read)
    assert.deepEqual(answers.splice(0), [undefined, 1])
    dispatcher.stop()
    assert.deepEqual(answers, [[], 0, [], 0])
    assert.equal(asked.size, 0)
  })

  it('gives back what waits at the old place of a task that has moved, and what is put back there', () => {
    const { dispatcher, moved, places, claim, putBack, endings } = dispatcherOf(1, 1)
    const [old, next] = places as [SlotPlace, SlotPlace]
    claim(...claimsOf(3), claimOf({ ord: 4, task: 1 }))
    moved.set(0, 1)
    old.recalls.length = 0
    dispatcher.receive({ type: 'task-moved', task: 0 })
    assert.deepEqual(old.recalls, [[1]], 'what is offered there is asked back')
    putBack(old.giveUp())
    assert.deepEqual(endings(), [
      [0, 2, 'interrupted'],
      [0, 3, 'interrupted'],
      [0, 1, 'interrupted'],
    ])
    assert.deepEqual(numbersOf(next.claims()), [4])
  })

  it('says of each claim in a hand which place it takes room of', () => {
    const { dispatcher, claim } = dispatcherOf(0, 0)
    claim(claimOf({ ord: 1 }), claimOf({ ord: 2, task: 1 }))
    const occupants = [...dispatcher.occupants()].map(({ place, job }) => [place, job.number])
    assert.deepEqual(occupants, [
      [0, 1],
      [1, 2],
    ])
  })

  it('gives the hand of a place back that has stopped, and no other', () => {
    const { dispatcher, claim, endings } = dispatcherOf(0, 0)
    claim(claimOf({ ord: 1 }), claimOf({ ord: 2, task: 1 }))
    dispatcher.receive({ type: 'place-stopped', place: 1 })
    assert.deepEqual(endings(), [[1, 2, 'interrupted']])
    assert.equal(dispatcher.held, 1)
  })

  it('gives back what a place puts back after it has stopped', () => {
    const { stopped, dispatcher, endings, claim, putBack } = dispatcherOf(0)
    stopped.set(0, new Error('no thread starts'))
    dispatcher.receive({ type: 'place-stopped', place: 0 })
    putBack(claimsOf(1))
    assert.deepEqual(endings(), [[0, 1, 'interrupted']])
    claim(claimOf({ ord: 2 }))
    assert.deepEqual(endings().length, 2, 'a claim that was under way as well')
  })

  it('does not keep claims of a task that has no place any more: the router has them go back', () => {
    const { dispatcher, claim, endings } = dispatcherOf(0)
    claim(claimOf({ ord: 1, task: 7 }))
    assert.deepEqual([dispatcher.held, endings()], [0, []])
  })
})
