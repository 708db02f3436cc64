import type { JobState } from '../../lib/job-state.ts'

/** A job as a user would describe it. */
export interface ModelJob {
  readonly number: number
  readonly task: string
  priority: number
  /** It has failed before, and goes behind fresh work. */
  retried: boolean
  state: JobState
  /** Its place in the order; what becomes available goes to the end. */
  order: number
  claim: number
  attempts: number
  readonly key: string | undefined
  dueAt: number | undefined
  expiresAt: number | undefined
  keepUntil: number | undefined
  wish: 'cancel' | undefined
}

export interface NewModelJob {
  readonly number: number
  readonly task: string
  readonly priority: number
  readonly key: string | undefined
  readonly keyWindowMs: number | undefined
  readonly dueAt: number | undefined
  readonly expiresAt: number | undefined
}

interface Holder {
  readonly job: number
  readonly until: number | undefined
}

/** How a claim ends, as far as the model can tell ends apart. */
export type ModelEnd = 'finish' | 'keep' | 'retry' | 'snooze' | 'release' | 'die' | 'discard' | 'cancel-running'

const END_STATES = {
  keep: 'succeeded',
  die: 'dead',
  discard: 'discarded',
  'cancel-running': 'cancelled',
} as const satisfies Partial<Record<ModelEnd, JobState>>

/**
 * What the journal promises, said once more with a Map and sorts instead of rows, indices and counts. It shares no code
 * with it, so that a fault must be made twice to stay unseen.
 */
export class JournalModel {
  readonly jobs = new Map<number, ModelJob>()
  readonly keys = new Map<string, Holder>()
  readonly room: number[]
  now: number
  readonly #places: readonly (readonly string[])[]
  readonly #keepMs: number
  #turns: number[] = []
  /** Claims of fresh work since the last retry that went before some. */
  readonly #freshClaims: number[]
  #order = 0

  constructor(places: readonly (readonly string[])[], now: number, keepMs: number) {
    this.#places = places
    this.now = now
    this.#keepMs = keepMs
    this.room = places.map(() => 0)
    this.#turns = places.map(() => 0)
    this.#freshClaims = places.map(() => 0)
  }

  inState(...states: readonly JobState[]): ModelJob[] {
    return [...this.jobs.values()].filter(({ state }) => states.includes(state))
  }

  enqueue(job: NewModelJob): 'claimed' | 'waiting' | 'scheduled' | { readonly duplicateOf: number } {
    const holder = this.#holder(job.task, job.key)
    if (holder !== undefined) return { duplicateOf: holder.job }
    if (job.key !== undefined) {
      const until = job.keyWindowMs === undefined ? undefined : this.now + job.keyWindowMs
      this.keys.set(nameOf(job.task, job.key), { job: job.number, until })
    }
    const scheduled = job.dueAt !== undefined && job.dueAt > this.now
    const { keyWindowMs: _, ...rest } = job
    const made: ModelJob = {
      ...rest,
      retried: false,
      state: scheduled ? 'scheduled' : 'available',
      order: ++this.#order,
      claim: 0,
      attempts: 0,
      dueAt: scheduled ? job.dueAt : undefined,
      keepUntil: undefined,
      wish: undefined,
    }
    this.jobs.set(job.number, made)
    if (scheduled) return 'scheduled'
    if (this.#isOverdue(made) || !this.#mayShortCut(made)) return 'waiting'
    this.#take(made)
    return 'claimed'
  }

  /** `claim` is that of the outcome; one that is not the job's own changes nothing. */
  end(number: number, claim: number, end: ModelEnd): 'settled' | 'stale' {
    const job = this.jobs.get(number)
    if (job?.state !== 'running' || job.claim !== claim) return 'stale'
    if (end === 'finish') {
      this.#freeKey(job)
      this.jobs.delete(number)
      return 'settled'
    }
    if (end !== 'snooze' && end !== 'release' && end !== 'cancel-running') job.attempts++
    job.wish = undefined
    if (end === 'release') job.state = 'available'
    else if (end === 'retry' || end === 'snooze') {
      Object.assign(job, { state: 'scheduled', dueAt: this.now + 1_000, retried: job.retried || end === 'retry' })
    } else this.#close(job, END_STATES[end], this.#keepMs)
    return 'settled'
  }

  cancel(number: number): 'cancelled' | 'requested' | 'ended' | 'absent' {
    const job = this.jobs.get(number)
    if (job === undefined) return 'absent'
    if (job.keepUntil !== undefined) return 'ended'
    if (job.state === 'running') {
      job.wish = 'cancel'
      return 'requested'
    }
    this.#close(job, 'cancelled', this.#keepMs)
    return 'cancelled'
  }

  retry(number: number): 'revived' | 'absent' | 'wrong-state' | 'key-taken' {
    const job = this.jobs.get(number)
    if (job === undefined) return 'absent'
    const holder = this.#holder(job.task, job.key)
    if (holder !== undefined && holder.job !== number) return 'key-taken'
    if (!['dead', 'cancelled', 'discarded', 'expired'].includes(job.state)) return 'wrong-state'
    if (job.key !== undefined && holder === undefined) {
      this.keys.set(nameOf(job.task, job.key), { job: number, until: undefined })
    }
    const fresh = { attempts: 0, retried: false, expiresAt: undefined, keepUntil: undefined, order: ++this.#order }
    Object.assign(job, fresh, { state: 'available' })
    return 'revived'
  }

  reschedule(
    number: number,
    dueAt: number | undefined,
    priority: number | undefined,
  ): 'rescheduled' | 'absent' | 'wrong-state' {
    const job = this.jobs.get(number)
    if (job === undefined) return 'absent'
    if (job.state !== 'scheduled' && job.state !== 'available') return 'wrong-state'
    job.priority = priority ?? job.priority
    if (dueAt === undefined) return 'rescheduled'
    if (dueAt !== undefined && dueAt > this.now) Object.assign(job, { state: 'scheduled', dueAt })
    else Object.assign(job, { state: 'available', dueAt: undefined, order: ++this.#order })
    return 'rescheduled'
  }

  /** Retention: ended jobs whose time is over, and keys whose window is. */
  sweep(): void {
    for (const job of this.jobs.values()) {
      if (job.keepUntil !== undefined && job.keepUntil <= this.now) this.jobs.delete(job.number)
    }
    for (const [name, { until }] of this.keys) if (until !== undefined && until <= this.now) this.keys.delete(name)
  }

  /** The owner dies: nobody is charged, room and turns are forgotten. */
  crash(): void {
    for (const job of this.inState('running')) {
      if (job.wish === 'cancel') this.#close(job, 'cancelled', this.#keepMs)
      else job.state = 'available'
    }
    this.noRoom()
    this.#turns.fill(0)
    this.#freshClaims.fill(0)
  }

  noRoom(): void {
    this.room.fill(0)
  }

  /** What the end of every commit does: time passes, then free room is filled. Returns what was expired and claimed. */
  pass(): { readonly expired: number[]; readonly claimed: number[] } {
    const expired = this.inState('scheduled', 'available').filter((job) => this.#isOverdue(job))
    for (const job of expired) this.#close(job, 'expired', this.#keepMs)
    const due = this.inState('scheduled').filter((job) => (job.dueAt as number) <= this.now)
    for (const job of due.sort((a, b) => (a.dueAt as number) - (b.dueAt as number) || a.number - b.number)) {
      Object.assign(job, { state: 'available', dueAt: undefined, order: ++this.#order })
    }
    return { expired: expired.map(({ number }) => number), claimed: this.room.flatMap((_, place) => this.#fill(place)) }
  }

  #fill(place: number): number[] {
    const claimed: number[] = []
    while ((this.room[place] as number) > 0) {
      const waiting = this.inState('available').filter((job) => this.#placeOf(job) === place)
      if (waiting.length === 0) break
      const turn = (this.#turns[place] as number) + 1
      this.#turns[place] = turn
      const byOrder = (a: ModelJob, b: ModelJob) => a.order - b.order
      const byPriority = (a: ModelJob, b: ModelJob) => b.priority - a.priority || byOrder(a, b)
      const fresh = waiting.filter(({ retried }) => !retried).sort(turn % 8 === 0 ? byOrder : byPriority)
      const again = waiting.filter(({ retried }) => retried).sort(byPriority)
      const isRetrysTurn = again.length > 0 && (this.#freshClaims[place] as number) >= 9
      const next = (isRetrysTurn ? again[0] : (fresh[0] ?? again[0])) as ModelJob
      if (isRetrysTurn) this.#freshClaims[place] = 0
      else if (fresh.length > 0) this.#freshClaims[place] = (this.#freshClaims[place] as number) + 1
      this.#take(next)
      claimed.push(next.number)
    }
    return claimed
  }

  #take(job: ModelJob): void {
    job.state = 'running'
    job.claim++
    const place = this.#placeOf(job)
    this.room[place] = (this.room[place] as number) - 1
  }

  #mayShortCut(job: ModelJob): boolean {
    const place = this.#placeOf(job)
    if (place < 0 || (this.room[place] as number) <= 0) return false
    return !this.inState('available').some(
      (other) => other !== job && this.#placeOf(other) === place && (other.retried || other.priority >= job.priority),
    )
  }

  #placeOf({ task }: ModelJob): number {
    return this.#places.findIndex((names) => names.includes(task))
  }

  #isOverdue({ expiresAt }: ModelJob): boolean {
    return expiresAt !== undefined && expiresAt <= this.now
  }

  #close(job: ModelJob, state: JobState, keepMs: number): void {
    this.#freeKey(job)
    Object.assign(job, { state, dueAt: undefined, keepUntil: this.now + keepMs, wish: undefined })
  }

  #holder(task: string, key: string | undefined): Holder | undefined {
    const holder = key === undefined ? undefined : this.keys.get(nameOf(task, key))
    return holder?.until !== undefined && holder.until <= this.now ? undefined : holder
  }

  #freeKey({ number, task, key }: ModelJob): void {
    if (key === undefined) return
    const holder = this.keys.get(nameOf(task, key))
    if (holder?.job === number && holder.until === undefined) this.keys.delete(nameOf(task, key))
  }
}

function nameOf(task: string, key: string): string {
  return `${task} ${key}`
}
