import { systemClock, type Clock, type Timer } from './clock.ts'
import { Mailbox, rota, type Told } from './mailbox.ts'

/** How an actor came to its end, where it did come to it. */
export type Ending =
  /** Its owner stopped it. */
  | { readonly type: 'stopped' }
  /** It was stopped along with what it is part of: by its supervisor, or because its parent ended. */
  | { readonly type: 'shutdown' }
  /** It threw. */
  | { readonly type: 'crashed'; readonly error: unknown }

/** The callback of a behavior that an actor is in. */
export type Step = 'start' | 'receive' | 'childExited' | 'stop'

/** Why an actor is no more. */
export type ExitReason =
  | Ending
  /**
   * It did not stop within its deadline: the promise of the callback `during` can only be given up, and may still act.
   * `ending` is how it would have ended.
   */
  | { readonly type: 'abandoned'; readonly during: Step; readonly ending: Ending }

/** What reaches an actor ahead of its messages. */
export type Signal =
  | { readonly type: 'stop' }
  | { readonly type: 'child-exited'; readonly child: Child<never>; readonly reason: ExitReason }

/** The address of an actor: all that one actor may hold of another. */
export interface ActorRef<in M> {
  readonly id: string
  /** Never blocks and never throws. 'full' means try again later or drop it; 'closed' is for ever. */
  tell(message: M): Told
}

/** The owner's handle, which alone may stop the actor or wait for its end. */
export interface Child<in M> extends ActorRef<M> {
  /** Settles when start() has returned or the actor has ended, whichever is first; never rejects. */
  readonly started: Promise<void>
  /** Never rejects. */
  readonly exited: Promise<ExitReason>
  /** Overtakes what was told and not read yet, which is dropped. Again and afterwards it does nothing. */
  stop(ending?: 'stopped' | 'shutdown'): void
}

/** Somebody who hears of the end of children. */
export interface Parent {
  /**
   * From now on the exit of this child is a signal to this actor, which stops the child when it ends itself, without
   * waiting for it. Again it does nothing.
   */
  adopt(child: Child<never>): void
}

/** An actor as its own behavior knows it. */
export interface Self<in M> extends ActorRef<M>, Parent {}

/**
 * What an actor does, kept apart from when it runs. One callback at a time, messages in order; a throw or rejection in
 * any of them ends the actor as crashed. A callback that returns no promise costs none.
 */
export interface Behavior<M> {
  start?(self: Self<M>): void | Promise<void>
  receive(message: M): void | Promise<void>
  /** `child` is the incarnation that ended. Without this callback the crash of a child is a crash of its parent. */
  childExited?(child: Child<never>, reason: ExitReason): void | Promise<void>
  /**
   * The actor shall stop, but the promise of another callback is pending: the only callback that runs beside another
   * one, and the chance to cut that one short.
   */
  interrupt?(): void
  /** Comes last, crash or not, if `start` has succeeded; not when a callback was abandoned. */
  stop?(ending: Ending): void | Promise<void>
}

/** How an actor is run. */
export interface SpawnOptions {
  /** Names it in errors and events; need not be unique. */
  readonly id: string
  /** How many messages may wait. Default: 1,024. */
  readonly capacity?: number
  /** Adopts the actor. */
  readonly parent?: Parent
  /** After so many ms from `stop` or a crash the actor is abandoned. Default: 5,000; Infinity waits for ever. */
  readonly stopDeadlineMs?: number
  /** For the deadline. Default: the machine's. */
  readonly clock?: Clock
}

/** Starts an actor. Nothing of its behavior runs before the caller has returned. */
export function spawn<M>(behavior: Behavior<M>, options: SpawnOptions): Child<M> {
  const actor = new Actor(behavior, options)
  options.parent?.adopt(actor)
  return actor
}

class Actor<M> implements Child<M>, Self<M> {
  readonly id: string
  readonly started: Promise<void>
  readonly exited: Promise<ExitReason>
  readonly #behavior: Behavior<M>
  readonly #mailbox: Mailbox<M, Signal>
  readonly #clock: Clock
  readonly #stopDeadlineMs: number
  readonly #children = new Set<Child<never>>()
  #phase: 'new' | 'starting' | 'started' | 'ending' | 'ended' = 'new'
  /** 'ready': in the rota; 'waiting': for the promise that `#step` returned. */
  #activity: 'idle' | 'ready' | 'running' | 'waiting' = 'idle'
  #step: Step = 'start'
  /** Set once it is to end; a crash on the way overrules a stop. */
  #ending: Ending | undefined
  #deadline: Timer | undefined
  #settleStarted!: () => void
  #settleExited!: (reason: ExitReason) => void

  constructor(behavior: Behavior<M>, options: SpawnOptions) {
    this.id = options.id
    this.#behavior = behavior
    this.#mailbox = new Mailbox(options.capacity ?? 1_024)
    this.#clock = options.clock ?? systemClock
    this.#stopDeadlineMs = options.stopDeadlineMs ?? 5_000
    this.started = new Promise((resolve) => {
      this.#settleStarted = resolve
    })
    this.exited = new Promise((resolve) => {
      this.#settleExited = resolve
    })
    this.#wake()
  }

  tell(message: M): Told {
    const told = this.#mailbox.put(message)
    if (told === 'accepted') this.#wake()
    return told
  }

  adopt(child: Child<never>): void {
    if (this.#children.has(child)) return
    if (this.#phase === 'ended') return child.stop('shutdown')
    this.#children.add(child)
    void child.exited.then((reason) => {
      this.#children.delete(child)
      this.#mailbox.signal({ type: 'child-exited', child, reason })
      this.#wake()
    })
  }

  stop(ending: 'stopped' | 'shutdown' = 'stopped'): void {
    if (this.#ending !== undefined) return
    this.#ending = { type: ending }
    this.#mailbox.close()
    this.#mailbox.urgent({ type: 'stop' })
    this.#setDeadline()
    if (this.#activity === 'waiting') this.#interrupt()
    this.#wake()
  }

  /** For the rota: does what there is to do, until nothing is left, or a promise has to be waited for. */
  run(): 'idle' | 'spent' {
    this.#activity = 'running'
    while (this.#activity === 'running') {
      if (rota.takeStep() === 'spent') {
        this.#activity = 'ready'
        return 'spent'
      }
      this.#runStep()
    }
    return 'idle'
  }

  #wake(): void {
    if (this.#activity !== 'idle' || this.#phase === 'ended') return
    this.#activity = 'ready'
    rota.add(this)
  }

  #runStep(): void {
    if (this.#mailbox.signals > 0) this.#obey(this.#mailbox.takeSignal())
    else if (this.#phase === 'new') this.#start()
    else if (this.#mailbox.messages > 0) this.#receive(this.#mailbox.takeMessage())
    else this.#activity = 'idle'
  }

  #start(): void {
    this.#phase = 'starting'
    this.#perform('start', () => this.#behavior.start?.(this))
  }

  /** As `#perform`, but a message is not worth a closure. */
  #receive(message: M): void {
    this.#step = 'receive'
    try {
      const pending = this.#behavior.receive(message)
      if (isPromise(pending)) this.#wait(pending)
    } catch (error) {
      this.#crash(error)
    }
  }

  #obey(signal: Signal): void {
    if (signal.type === 'stop') return this.#end()
    const { child, reason } = signal
    this.#perform('childExited', () => {
      if (this.#behavior.childExited !== undefined) return this.#behavior.childExited(child, reason)
      if (reason.type === 'crashed') throw reason.error
      return undefined
    })
  }

  #perform(step: Step, callback: () => void | Promise<void>): void {
    this.#step = step
    try {
      const pending = callback()
      if (isPromise(pending)) this.#wait(pending)
      else this.#performed()
    } catch (error) {
      this.#crash(error)
    }
  }

  #wait(pending: PromiseLike<void>): void {
    this.#activity = 'waiting'
    pending.then(
      () => this.#resume(() => this.#performed()),
      (error: unknown) => this.#resume(() => this.#crash(error)),
    )
    // Stopped by the callback itself, before it returned its promise.
    if (this.#ending !== undefined && this.#phase !== 'ending') this.#interrupt()
  }

  #resume(proceed: () => void): void {
    // An abandoned promise may still settle.
    if (this.#phase === 'ended') return
    this.#activity = 'idle'
    proceed()
    this.#wake()
  }

  #performed(): void {
    if (this.#step === 'stop') this.#exit(this.#ending as Ending)
    if (this.#step !== 'start') return
    this.#phase = 'started'
    this.#settleStarted()
  }

  #interrupt(): void {
    try {
      this.#behavior.interrupt?.()
    } catch (error) {
      this.#ending = { type: 'crashed', error }
    }
  }

  #crash(error: unknown): void {
    // What went wrong first says more than what went wrong while cleaning up after it.
    if (this.#ending?.type !== 'crashed') this.#ending = { type: 'crashed', error }
    if (this.#phase !== 'started') return this.#exit(this.#ending)
    this.#mailbox.close()
    this.#setDeadline()
    this.#end()
  }

  #end(): void {
    const ending = this.#ending as Ending
    if (this.#phase === 'new') return this.#exit(ending)
    this.#phase = 'ending'
    this.#perform('stop', () => this.#behavior.stop?.(ending))
  }

  #setDeadline(): void {
    if (this.#deadline !== undefined || !Number.isFinite(this.#stopDeadlineMs)) return
    this.#deadline = this.#clock.setTimer(this.#stopDeadlineMs, () => {
      // A loop that was blocked until now may hold what the actor waits for: it gets a turn to bring it.
      this.#clock.setImmediate(() => this.#missDeadline())
    })
  }

  #missDeadline(): void {
    if (this.#phase === 'ended') return
    if (this.#activity === 'waiting') {
      return this.#exit({ type: 'abandoned', during: this.#step, ending: this.#ending as Ending })
    }
    // It does not hang, its turn has just not come.
    this.#deadline = undefined
    this.#setDeadline()
  }

  #exit(reason: ExitReason): void {
    this.#phase = 'ended'
    this.#activity = 'idle'
    this.#mailbox.close()
    this.#deadline?.cancel()
    // Before `started`: whoever waits for both shall see the end of a failed start first.
    this.#settleExited(reason)
    this.#settleStarted()
    for (const child of [...this.#children].reverse()) child.stop('shutdown')
  }
}

function isPromise(value: void | Promise<void>): value is Promise<void> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<void>).then === 'function'
}
