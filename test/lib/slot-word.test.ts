import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import * as slotWord from '../../lib/slot-word.ts'
import type { SlotState } from '../../lib/slot-word.ts'
import { count, type Offer, type Operations, withoutGeneration } from '../helpers/slot-words.ts'

const { condemn, finish, free, offer, recall, stateOf, take } = slotWord

const LAST_GENERATION = 2 ** 29 - 1

/** A slot whose latest offer has come to this state, and the generation of that offer. */
function slotIn(state: SlotState, before = 6): { words: Int32Array; generation: number } {
  const words = new Int32Array([before << 3])
  const generation = offer(words, 0)
  if (state === 'taken' || state === 'done' || state === 'condemned') take(words, 0, generation)
  if (state === 'done') finish(words, 0, generation)
  if (state === 'condemned') condemn(words, 0, generation)
  if (state === 'recalled' || state === 'free') recall(words, 0, generation)
  if (state === 'free') free(words, 0, generation)
  assert.equal(stateOf(words, 0, generation), state)
  return { words, generation }
}

const states = ['free', 'offered', 'taken', 'done', 'recalled', 'condemned'] as const satisfies SlotState[]

/** For each change the states that it changes, and what it makes of them. */
const changes = [
  { name: 'take', change: take, from: ['offered'], to: 'taken' },
  { name: 'finish', change: finish, from: ['taken'], to: 'done' },
  { name: 'recall', change: recall, from: ['offered'], to: 'recalled' },
  { name: 'condemn', change: condemn, from: ['taken'], to: 'condemned' },
  { name: 'free', change: free, from: ['done', 'recalled', 'condemned'], to: 'free' },
] as const

describe('a slot word', () => {
  for (const { name, change, from, to } of changes) {
    it(`is changed by ${name} from ${from.join(', ')} and from no other state`, () => {
      for (const state of states) {
        const { words, generation } = slotIn(state)
        const changed = (from as readonly SlotState[]).includes(state)
        assert.equal(change(words, 0, generation), changed ? to : 'lost', state)
        assert.equal(stateOf(words, 0, generation), changed ? to : state)
      }
    })

    it(`is not changed by a ${name} that is about another offer`, () => {
      for (const state of states) {
        const { words, generation } = slotIn(state)
        for (const other of [generation - 1, generation + 1]) {
          assert.equal(change(words, 0, other), 'lost')
          assert.equal(stateOf(words, 0, other), 'stale')
        }
        assert.equal(stateOf(words, 0, generation), state)
      }
    })
  }

  it('is offered anew with the next generation once its last offer has ended', () => {
    for (const state of ['free', 'done', 'recalled', 'condemned'] as const) {
      const { words, generation } = slotIn(state)
      assert.equal(offer(words, 0), generation + 1)
      assert.equal(stateOf(words, 0, generation + 1), 'offered')
      assert.equal(stateOf(words, 0, generation), 'stale')
    }
  })

  it('refuses a second offer while the first stands or is run', () => {
    for (const state of ['offered', 'taken'] as const) {
      const { words, generation } = slotIn(state)
      assert.throws(() => offer(words, 0), { message: `slot 0 offered twice; it is ${state}, expected an ended offer` })
      assert.equal(stateOf(words, 0, generation), state)
    }
  })

  it('keeps every generation up to the last, where the word is negative, and goes round', () => {
    for (const before of [2 ** 28 - 2, 2 ** 28 - 1, 2 ** 28, LAST_GENERATION - 1]) {
      for (const state of states) assert.equal(slotIn(state, before).generation, before + 1)
    }
    const { words, generation } = slotIn('done', LAST_GENERATION)
    assert.equal(generation, 0)
    assert.equal(stateOf(words, 0, LAST_GENERATION), 'stale')
  })
})

// A place, its threads and its reaper as step machines: every step is one atomic operation, fast-check decides who is
// next. A job that is taken back goes to the end of the queue, from where any thread may get it.

interface Thread {
  readonly words: Int32Array
  /** Offers that the place has not settled. */
  readonly offers: Offer[]
  /** Messages that the thread has not read: they outlive the offers that they are about. */
  readonly messages: Offer[]
  running: Offer | undefined
}

const SLOTS = 2
const JOBS = 5

class Simulation {
  readonly #operations: Operations
  readonly #threads: Thread[] = [0, 1].map(() => ({
    words: new Int32Array(SLOTS),
    offers: [],
    messages: [],
    running: undefined,
  }))
  readonly #queue = Array.from({ length: JOBS }, (_, job) => job)
  readonly runs = new Int32Array(JOBS)
  readonly charges = new Int32Array(JOBS)
  readonly finishes = new Int32Array(JOBS)

  constructor(operations: Operations) {
    this.#operations = operations
  }

  step(choice: number): void {
    const thread = this.#threads[choice & 1] as Thread
    const offer = thread.offers[(choice >> 4) % (thread.offers.length || 1)]
    const steps = [
      () => this.#offer(thread),
      () => this.#offer(thread),
      () => this.#runOrFinish(thread),
      () => this.#runOrFinish(thread),
      () => this.#runOrFinish(thread),
      () => offer && this.#recall(thread, offer),
      () => offer && this.#harvest(thread, offer),
      () => offer && this.#condemn(thread, offer),
    ]
    steps[(choice >> 1) & 7]?.()
  }

  /** Until nothing is left to do, without taking anything back. */
  finish(): void {
    for (let round = 0; round < JOBS * 8; round++) {
      for (const thread of this.#threads) {
        this.#offer(thread)
        this.#runOrFinish(thread)
        for (const offer of thread.offers.slice()) this.#harvest(thread, offer)
      }
    }
  }

  #offer(thread: Thread): void {
    const busy = new Set(thread.offers.map(({ slot }) => slot))
    const slot = [...thread.words.keys()].find((each) => !busy.has(each))
    const job = this.#queue[0]
    if (slot === undefined || job === undefined) return
    this.#queue.shift()
    const offer = { job, slot, generation: this.#operations.offer(thread.words, slot) }
    thread.offers.push(offer)
    thread.messages.push(offer)
  }

  #runOrFinish(thread: Thread): void {
    const { running } = thread
    if (running !== undefined) {
      thread.running = undefined
      this.#operations.finish(thread.words, running.slot, running.generation)
      return
    }
    const next = thread.messages.shift()
    if (next === undefined) return
    if (this.#operations.take(thread.words, next.slot, next.generation) === 'lost') return
    count(this.runs, next.job)
    thread.running = next
  }

  #recall(thread: Thread, offer: Offer): void {
    if (this.#operations.recall(thread.words, offer.slot, offer.generation) === 'lost') return
    remove(thread.offers, offer)
    this.#queue.push(offer.job)
  }

  #harvest(thread: Thread, offer: Offer): void {
    if (this.#operations.stateOf(thread.words, offer.slot, offer.generation) !== 'done') return
    this.#operations.free(thread.words, offer.slot, offer.generation)
    remove(thread.offers, offer)
    count(this.finishes, offer.job)
  }

  /** The thread is terminated and replaced, but its finish may be under way: it still happens, at any later step. */
  #condemn(thread: Thread, offer: Offer): void {
    if (this.#operations.condemn(thread.words, offer.slot, offer.generation) === 'lost') return
    remove(thread.offers, offer)
    count(this.charges, offer.job)
    this.#queue.push(offer.job)
  }
}

function remove<T>(items: T[], item: T): void {
  items.splice(items.indexOf(item), 1)
}

function everyJobRunsOnce(operations: Operations): fc.IProperty<[number[]]> {
  return fc.property(fc.array(fc.nat(255), { minLength: 10, maxLength: 150 }), (choices) => {
    const simulation = new Simulation(operations)
    for (const choice of choices) simulation.step(choice)
    simulation.finish()
    for (let job = 0; job < JOBS; job++) {
      assert.equal(simulation.finishes[job], 1, `job ${job} finishes once`)
      assert.equal(simulation.runs[job], 1 + (simulation.charges[job] ?? 0), `job ${job} runs once for each claim`)
    }
  })
}

describe('slots between a place, its threads and its reaper', () => {
  it('run every job once and lose none, in whatever order their steps come', () => {
    fc.assert(everyJobRunsOnce(slotWord), { numRuns: 5_000 })
  })

  it('would run jobs twice and lose others without the generation', () => {
    const { failed, errorInstance } = fc.check(everyJobRunsOnce(withoutGeneration), { numRuns: 5_000, seed: 1 })
    assert.ok(failed)
    assert.match(String(errorInstance), /once/)
  })
})
