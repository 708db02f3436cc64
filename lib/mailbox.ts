import { AsyncResource } from 'node:async_hooks'
import { systemClock } from './clock.ts'
import { Ring } from './ring.ts'

// Where work waits: messages in front of their actor, actors in front of the loop.

/** What became of a message. Refusal is a value, so that the sender has to think of it. */
export type Told = 'accepted' | 'full' | 'closed'

/**
 * What an actor has still to deal with: messages, of which it holds so many and no more, and signals, which overtake
 * them and are never refused. A full mailbox can still be stopped.
 */
export class Mailbox<M, S> {
  readonly #capacity: number
  readonly #messages = new Ring<M>()
  readonly #signals = new Ring<S>()
  #status: 'open' | 'closed' = 'open'

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many messages wait. */
  get messages(): number {
    return this.#messages.length
  }

  /** How many signals wait. */
  get signals(): number {
    return this.#signals.length
  }

  put(message: M): Told {
    if (this.#status === 'closed') return 'closed'
    if (this.#messages.length >= this.#capacity) return 'full'
    this.#messages.push(message)
    return 'accepted'
  }

  signal(signal: S): void {
    this.#signals.push(signal)
  }

  /** A signal that overtakes the others too. */
  urgent(signal: S): void {
    this.#signals.pushFront(signal)
  }

  /** Ask `signals` first. */
  takeSignal(): S {
    return this.#signals.shift() as S
  }

  /** Ask `messages` first: a message may be undefined. */
  takeMessage(): M {
    return this.#messages.shift() as M
  }

  /** Drops what was not read and refuses what comes; signals still get in. */
  close(): void {
    this.#status = 'closed'
    this.#messages.clear()
  }
}

/** Something that has steps to do. */
export interface Runnable {
  /** Takes steps from the rota until it is idle, or until they are spent. Must not throw. */
  run(): 'idle' | 'spent'
}

/** The loop is given back after so many ms of actors' work, or so many callbacks. */
const SLICE_MS = 1
const SLICE_STEPS = 1_024

/**
 * Runs those that have something to do, one after another. They run in microtasks until the loop's turn has spent its
 * slice on them, and then wait for its next turn. The slice is shared: actors that keep telling each other would else
 * hold the loop for ever, though each of them does little at a time.
 */
export class Rota {
  readonly #ready = new Ring<Runnable>()
  /** Nobody's context: an actor works for all who tell it something, not for the one whose message woke it. */
  readonly #root = new AsyncResource('millrace.actors', { requireManualDestroy: true })
  /** 'planned': a microtask will run it; 'spent': the next turn of the loop will. */
  #status: 'idle' | 'planned' | 'running' | 'spent' = 'idle'
  #turn: 'open' | 'over' = 'over'
  #turnEndsAt = 0
  #stepsLeft = 0

  /** Runs it once, soon; nothing may be added again before it has run. */
  add(runnable: Runnable): void {
    this.#ready.push(runnable)
    if (this.#status !== 'idle') return
    this.#status = 'planned'
    queueMicrotask(() => this.#run())
  }

  /** Asked by what runs, before each of its steps; the next turn of the loop has new ones. */
  takeStep(): 'granted' | 'spent' {
    if (this.#stepsLeft === 0 || systemClock.monotonicMs() >= this.#turnEndsAt) return 'spent'
    this.#stepsLeft--
    return 'granted'
  }

  #run(): void {
    this.#status = 'running'
    try {
      this.#root.runInAsyncScope(() => this.#runReady())
    } finally {
      this.#status = this.#ready.length > 0 ? 'spent' : 'idle'
    }
  }

  #runReady(): void {
    if (this.#turn === 'over') this.#openTurn()
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
      const stepsBefore = this.#stepsLeft
      if (next.run() === 'idle') continue
      // Who has had a step lets the others go first; who has had none keeps its place.
      if (this.#stepsLeft < stepsBefore) this.#ready.push(next)
      else this.#ready.pushFront(next)
      return
    }
  }

  #openTurn(): void {
    this.#turn = 'open'
    this.#turnEndsAt = systemClock.monotonicMs() + SLICE_MS
    this.#stepsLeft = SLICE_STEPS
    systemClock.setImmediate(() => {
      this.#turn = 'over'
      if (this.#status === 'spent') this.#run()
    })
  }
}

/** The one of this thread. */
export const rota = new Rota()
