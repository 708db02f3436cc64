import { spawn, type Behavior, type Child, type Ending, type ExitReason, type Parent, type Self } from './actor.ts'
import { systemClock, type Clock } from './clock.ts'

/**
 * Which ends of a child are followed by a new start: all, only a crash, or none. OTP's words and meanings.
 */
export type Restart = 'permanent' | 'transient' | 'temporary'

/**
 * Who is started anew along with a child: nobody, those that come after it, or all. OTP's words and meanings.
 */
export type Strategy = 'one-for-one' | 'rest-for-one' | 'one-for-all'

/** How often is too often: more than `restarts` times in less than `withinMs`. */
export interface RestartLimit {
  readonly restarts: number
  readonly withinMs: number
}

/** What a supervisor knows of a child. */
export interface ChildSpec {
  /** Unique among its siblings. */
  readonly id: string
  readonly restart: Restart
  /**
   * After so many ms the supervisor waits no longer for a child that it has stopped, and reports it as abandoned.
   * Default: it waits for `exited`; a spawned actor has a deadline of its own.
   */
  readonly stopDeadlineMs?: number
  /** Makes a new incarnation, which the supervisor adopts. A throw counts as a crash. */
  start(supervisor: Parent): Child<never>
}

/** What happened to a child. After 'gave-up' its supervisor ends, because this child has ended once too often. */
export type ChildEvent =
  | { readonly type: 'child-started' | 'child-restarted' }
  | { readonly type: 'child-exited' | 'gave-up'; readonly reason: ExitReason }

/** What a supervisor tells of its work. */
export type SupervisionEvent = ChildEvent & { readonly supervisor: string; readonly child: string }

/** How children are supervised. The limit is for all of them together. */
export interface SuperviseOptions extends RestartLimit {
  readonly id: string
  readonly strategy: Strategy
  /** Adopts the supervisor. A `ChildSpec` needs none, its supervisor adopts what it starts. */
  readonly parent?: Parent
  /** For all children together. Default: Infinity, because each has its own. */
  readonly stopDeadlineMs?: number
  /** Default: the machine's. */
  readonly clock?: Clock
  /** What it throws is thrown in a microtask of its own and stops nothing. */
  readonly onEvent?: (event: SupervisionEvent) => void
}

/** A supervisor as its owner knows it; it can be a child of another one. */
export interface Supervisor extends Child<never> {
  /** The present incarnations by id; a child that has ended or is between two lives is missing. */
  children(): ReadonlyMap<string, Child<never>>
}

/** The restarts of the window with this one, or undefined if it is one too many. Times are monotonic ms. */
export function addRestart(
  times: readonly number[],
  now: number,
  { restarts, withinMs }: RestartLimit,
): readonly number[] | undefined {
  const recent = [...times.filter((at) => now - at < withinMs), now]
  return recent.length > restarts ? undefined : recent
}

/** Those of `ids`, in their order, that are stopped and started anew when one of them failed. */
export function affected(strategy: Strategy, ids: readonly string[], failed: string): readonly string[] {
  const at = ids.indexOf(failed)
  if (at < 0) return []
  switch (strategy) {
    case 'one-for-one':
      return [failed]
    case 'rest-for-one':
      return ids.slice(at)
    case 'one-for-all':
      return ids
  }
}

/**
 * Starts children one after another, each when the one before has started, keeps them alive, and stops them in reverse.
 * A start that fails counts as a crash, at the first start too. The end that exceeds the limit is the supervisor's own:
 * it stops the others and ends with the same error.
 */
export function supervise(specs: readonly ChildSpec[], options: SuperviseOptions): Supervisor {
  const { id, parent, stopDeadlineMs = Number.POSITIVE_INFINITY, clock = systemClock } = options
  const ids = specs.map((spec) => spec.id)
  const twice = ids.find((each, at) => ids.indexOf(each) !== at)
  if (twice !== undefined) throw new Error(`supervisor ${id} got two children named ${twice}, expected unique ids`)
  const supervision = new Supervision(specs, options, clock)
  const actor = spawn<never>(supervision, { id, stopDeadlineMs, clock })
  const supervisor: Supervisor = {
    id,
    started: actor.started,
    exited: actor.exited,
    tell: (message) => actor.tell(message),
    stop: (ending) => actor.stop(ending),
    children: () => supervision.children(),
  }
  parent?.adopt(supervisor)
  return supervisor
}

class Supervision implements Behavior<never> {
  readonly #specs: readonly ChildSpec[]
  readonly #options: SuperviseOptions
  readonly #clock: Clock
  /** Present incarnations: an exit of any other was brought about here, or is dealt with already. */
  readonly #children = new Map<string, Child<never>>()
  /** Ids that shall have an incarnation. */
  readonly #wanted: Set<string>
  readonly #startedBefore = new Set<string>()
  #restarts: readonly number[] = []
  #status: 'supervising' | 'stopping' = 'supervising'
  #self!: Self<never>
  #giveUpWaiting: () => void = () => {}

  constructor(specs: readonly ChildSpec[], options: SuperviseOptions, clock: Clock) {
    this.#specs = specs
    this.#options = options
    this.#clock = clock
    this.#wanted = new Set(specs.map((spec) => spec.id))
  }

  children(): ReadonlyMap<string, Child<never>> {
    return new Map(this.#children)
  }

  async start(self: Self<never>): Promise<void> {
    this.#self = self
    try {
      await this.#startMissing()
    } catch (error) {
      // What has not started is not stopped by its actor.
      await this.stop()
      throw error
    }
  }

  receive(): void {
    // Nobody can tell a supervisor anything: `never` has no values.
  }

  async childExited(child: Child<never>, reason: ExitReason): Promise<void> {
    const spec = this.#specs.find(({ id }) => this.#children.get(id) === child)
    if (spec === undefined) return
    await this.#mourn(spec, reason)
    await this.#startMissing()
  }

  /** A child that hangs in its start must not keep the supervisor from stopping it. */
  interrupt(): void {
    this.#status = 'stopping'
    this.#giveUpWaiting()
  }

  async stop(): Promise<void> {
    this.#status = 'stopping'
    for (const spec of [...this.#specs].reverse()) await this.#stopChild(spec)
  }

  async #startMissing(): Promise<void> {
    while (this.#status === 'supervising') {
      const spec = this.#specs.find(({ id }) => this.#wanted.has(id) && !this.#children.has(id))
      if (spec === undefined) return
      const failure = await this.#startChild(spec)
      if (failure !== undefined) await this.#mourn(spec, failure)
    }
  }

  /** Resolves to the reason if the child ends before it has started. */
  async #startChild(spec: ChildSpec): Promise<ExitReason | undefined> {
    let child: Child<never>
    try {
      child = spec.start(this.#self)
    } catch (error) {
      return { type: 'crashed', error }
    }
    this.#children.set(spec.id, child)
    this.#self.adopt(child)
    const interrupted = new Promise<'interrupted'>((resolve) => {
      this.#giveUpWaiting = () => resolve('interrupted')
    })
    const started = child.started.then(() => 'started' as const)
    const result = await Promise.race([child.exited, started, interrupted])
    if (typeof result !== 'string') return result
    if (result === 'started') this.#tellStarted(spec)
    return undefined
  }

  /** Deals with the end of a child: decides who shall live, and stops those that must not go on without it. */
  async #mourn(spec: ChildSpec, reason: ExitReason): Promise<void> {
    this.#children.delete(spec.id)
    this.#tell(spec.id, { type: 'child-exited', reason })
    if (!isRestarted(spec.restart, reason)) {
      this.#wanted.delete(spec.id)
      return
    }
    const restarts = addRestart(this.#restarts, this.#clock.monotonicMs(), this.#options)
    if (restarts === undefined) {
      this.#tell(spec.id, { type: 'gave-up', reason })
      throw this.#causeOf(spec, reason)
    }
    this.#restarts = restarts
    const ids = affected(
      this.#options.strategy,
      this.#specs.map(({ id }) => id),
      spec.id,
    )
    for (const each of [...this.#specs].reverse()) if (ids.includes(each.id)) await this.#renew(each)
  }

  /** As in OTP: what is temporary does not come back, what is transient does, even if it had ended by itself. */
  async #renew(spec: ChildSpec): Promise<void> {
    if (spec.restart !== 'temporary') this.#wanted.add(spec.id)
    else if (this.#children.has(spec.id)) this.#wanted.delete(spec.id)
    await this.#stopChild(spec)
  }

  async #stopChild(spec: ChildSpec): Promise<void> {
    const child = this.#children.get(spec.id)
    if (child === undefined) return
    child.stop('shutdown')
    const reason = await this.#exitOf(child, spec.stopDeadlineMs)
    this.#children.delete(spec.id)
    this.#tell(spec.id, { type: 'child-exited', reason })
  }

  #exitOf(child: Child<never>, deadlineMs: number | undefined): Promise<ExitReason> {
    if (deadlineMs === undefined) return child.exited
    return new Promise((resolve) => {
      const abandoned: ExitReason = { type: 'abandoned', during: 'stop', ending: { type: 'shutdown' } }
      // A loop that was blocked until now may hold the exit: it gets a turn to bring it.
      const timer = this.#clock.setTimer(deadlineMs, () => this.#clock.setImmediate(() => resolve(abandoned)))
      void child.exited.then((reason) => {
        timer.cancel()
        resolve(reason)
      })
    })
  }

  #causeOf(spec: ChildSpec, reason: ExitReason): unknown {
    const ending = endingOf(reason)
    if (ending.type === 'crashed') return ending.error
    const { id, restarts, withinMs } = this.#options
    return new Error(
      `supervisor ${id} gave up: ${spec.id} ended as ${ending.type}; got over ${restarts} restarts within ${withinMs} ms`,
    )
  }

  #tellStarted({ id }: ChildSpec): void {
    this.#tell(id, { type: this.#startedBefore.has(id) ? 'child-restarted' : 'child-started' })
    this.#startedBefore.add(id)
  }

  #tell(child: string, event: ChildEvent): void {
    try {
      this.#options.onEvent?.({ supervisor: this.#options.id, child, ...event })
    } catch (error) {
      // It must not be lost, nor end the children.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

function isRestarted(restart: Restart, reason: ExitReason): boolean {
  switch (restart) {
    case 'permanent':
      return true
    case 'transient':
      return endingOf(reason).type === 'crashed'
    case 'temporary':
      return false
  }
}

function endingOf(reason: ExitReason): Ending {
  return reason.type === 'abandoned' ? reason.ending : reason
}
