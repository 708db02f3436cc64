import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import * as slotWord from '../../lib/slot-word.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { count, type Offer, type Operations, withoutGeneration } from '../helpers/slot-words.ts'

// Real threads take and finish while the place offers, recalls and condemns.

const SLOTS = 16
const JOBS = 1_000_000
const LOST = JOBS

/** Runs every offer of a batch that it can take; an empty batch is answered. */
const threadCode = `
  const { parentPort, workerData } = require('node:worker_threads')
  const words = new Int32Array(workerData.words)
  const runs = new Int32Array(workerData.runs)
  import(${JSON.stringify(new URL('../../lib/slot-word.js', import.meta.url).href)}).then(({ take, finish }) => {
    parentPort.on('message', (batch) => {
      for (const { job, slot, generation } of batch) {
        if (take(words, slot, generation) === 'lost') {
          Atomics.add(runs, ${LOST}, 1)
          continue
        }
        Atomics.add(runs, job, 1)
        for (let spin = Math.random() * 3_000; spin > 0; spin--);
        finish(words, slot, generation)
      }
      if (batch.length === 0) parentPort.postMessage('read everything')
    })
  })`

interface Seat {
  readonly worker: Worker
  readonly words: Int32Array
  /** By slot. */
  readonly offers: (Offer | undefined)[]
}

class Place {
  readonly #operations: Operations
  readonly #runs: SharedArrayBuffer
  readonly #charges = new Int32Array(JOBS)
  readonly #finishes = new Int32Array(JOBS)
  readonly #seats: readonly Seat[]
  #waiting: number[] = []
  #issued = 0
  recalls = 0
  condemned = 0

  constructor(operations: Operations) {
    this.#operations = operations
    this.#runs = new SharedArrayBuffer(4 * (JOBS + 1))
    this.#seats = [0, 1].map(() => {
      const words = new SharedArrayBuffer(4 * SLOTS)
      const worker = new Worker(threadCode, { eval: true, workerData: { words, runs: this.#runs } })
      return { worker, words: new Int32Array(words), offers: [] }
    })
  }

  get issued(): number {
    return this.#issued
  }

  get lostTakes(): number {
    return new Int32Array(this.#runs)[LOST] as number
  }

  /** Whether there was enough of all that may go wrong. */
  hasRaced(): boolean {
    return this.#issued > 100 && this.recalls > 100 && this.condemned > 10 && this.lostTakes > 10
  }

  /** Jobs that did not run once for each claim, or did not finish once. */
  wrong(): number[] {
    const runs = new Int32Array(this.#runs)
    return Array.from({ length: this.#issued }, (_, job) => job).filter(
      (job) => runs[job] !== 1 + (this.#charges[job] as number) || this.#finishes[job] !== 1,
    )
  }

  overran(): number[] {
    const runs = new Int32Array(this.#runs)
    return Array.from({ length: this.#issued }, (_, job) => job).filter(
      (job) => (runs[job] as number) > 1 + (this.#charges[job] as number),
    )
  }

  async work(ms: number): Promise<void> {
    for (const endsAt = performance.now() + ms; performance.now() < endsAt; await turn()) {
      for (const seat of this.#seats) this.#offer(seat, 'new jobs too')
      for (const seat of this.#seats) this.#look(seat, 'take back')
    }
  }

  async drain(): Promise<void> {
    const endsAt = performance.now() + 10_000
    while (this.#waiting.length > 0 || this.#seats.some(({ offers }) => offers.some(Boolean))) {
      for (const seat of this.#seats) {
        this.#offer(seat, 'no new jobs')
        this.#look(seat, 'let run')
      }
      assert.ok(performance.now() < endsAt, 'jobs were lost')
      await turn()
    }
    for (const { worker } of this.#seats) {
      worker.postMessage([])
      await new Promise((resolve) => worker.once('message', resolve))
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#seats.map(({ worker }) => worker.terminate()))
  }

  #offer({ worker, words, offers }: Seat, what: 'new jobs too' | 'no new jobs'): void {
    const batch: Offer[] = []
    for (let slot = 0; slot < SLOTS; slot++) {
      if (offers[slot] !== undefined) continue
      if (this.#waiting.length === 0 && (what === 'no new jobs' || this.#issued === JOBS)) break
      const job = this.#waiting.shift() ?? this.#issued++
      const offer = { job, slot, generation: this.#operations.offer(words, slot) }
      offers[slot] = offer
      batch.push(offer)
    }
    if (batch.length > 0) worker.postMessage(batch)
  }

  #look(seat: Seat, what: 'take back' | 'let run'): void {
    for (const offer of seat.offers) {
      if (offer === undefined) continue
      const end = this.#endOf(offer, seat.words, what === 'take back' ? Math.random() : 1)
      if (end === undefined) continue
      seat.offers[offer.slot] = undefined
      if (end === 'done') count(this.#finishes, offer.job)
      else this.#waiting.push(offer.job)
    }
  }

  #endOf(
    { job, slot, generation }: Offer,
    words: Int32Array,
    dice: number,
  ): 'recalled' | 'condemned' | 'done' | undefined {
    const { condemn, free, recall, stateOf } = this.#operations
    if (dice < 0.3 && recall(words, slot, generation) === 'recalled') {
      this.recalls++
      return 'recalled'
    }
    if (dice < 0.2 && condemn(words, slot, generation) === 'condemned') {
      this.condemned++
      count(this.#charges, job)
      return 'condemned'
    }
    if (stateOf(words, slot, generation) !== 'done') return undefined
    free(words, slot, generation)
    return 'done'
  }
}

describe('slots between real threads', () => {
  it('run every job once for each claim while offers are recalled and condemned at random', async (test) => {
    leakCheck(test)
    const place = new Place(slotWord)
    try {
      await place.work(1_200)
      // A busy machine may not have let the threads run at the same time as this one.
      for (let time = 0; time < 50 && !place.hasRaced(); time++) await place.work(100)
      await place.drain()
      assert.deepEqual(place.wrong(), [])
      const { issued, recalls, condemned, lostTakes } = place
      test.diagnostic(JSON.stringify({ issued, recalls, condemned, lostTakes }))
      assert.ok(place.hasRaced())
    } finally {
      await place.close()
    }
  })

  it('would run jobs more often without the generation', async (test) => {
    leakCheck(test)
    const place = new Place(withoutGeneration)
    try {
      for (let time = 0; time < 50 && place.overran().length === 0; time++) await place.work(100)
      assert.notDeepEqual(place.overran(), [])
    } finally {
      await place.close()
    }
  })
})
