import type { JobExtra } from '../../lib/job.ts'
import type { MaxWaiting, PartLimits } from '../../lib/limits.ts'
import { acknowledge, acknowledgeTaken, claimedJobs, shortCutsOf } from '../../runtime/journal/owner/acknowledge.ts'
import { Gather } from '../../runtime/journal/owner/gather.ts'
import { columnsOf } from '../../runtime/journal/group-columns.ts'
import type { Ledger } from '../../runtime/journal/store/ledger.ts'
import {
  type Answer,
  appended,
  type JobColumns,
  type OpenedJournal,
  type Outbound,
  type PlaceRoom,
  type Reply,
  type Request,
  type Settle,
  type TakenAnswer,
  type TakenJob,
} from '../../runtime/journal/protocol.ts'
import { journalQueries } from '../../runtime/journal/queries/queries.ts'
import type { StoredJob } from '../../runtime/journal/store/record.ts'
import type { Database } from '../../runtime/journal/files/sqlite.ts'
import { TAKEN_NUMBERS_FROM } from '../../runtime/journal/schema/schema.ts'
import type { Store } from '../../runtime/journal/store/store.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { type Opened, openerInMemory, START } from './journal-openers.ts'
import { settleOf } from './settle-of.ts'

const BYTES = 2 ** 20
const ONE = { jobs: 1, bytes: BYTES }

/** What an enqueue came to: filled in by the commit. */
export interface Enqueued {
  readonly number: number
  as?: keyof typeof appended | 'refused'
  /** Of a duplicate: the job that has the key. */
  first?: number
  error?: unknown
}

/** What a delivery came to: filled in by the commit. */
export interface Taking {
  readonly number: number
  answer?: TakenAnswer
}

export interface DriverOptions {
  /** Opens the journal for each owner; by default one in memory. */
  readonly open?: (now: number) => Opened
  /** Task names, place by place; those of the last list have no place. */
  readonly places?: readonly (readonly string[])[]
  readonly parked?: readonly string[]
  readonly limits?: Readonly<Record<string, PartLimits>>
  readonly maxWaiting?: Readonly<Record<string, MaxWaiting>>
  /** Of tasks that say how long their jobs are kept. */
  readonly keepEndedMs?: Readonly<Record<string, number>>
  /** Which tasks go out; the outbox is one place more, behind the others. */
  readonly outbound?: Pick<Outbound, 'tasks' | 'stepMs'>
  /** Of each place. */
  readonly placeMaxWaiting?: MaxWaiting
  /** Jobs that each place runs at once; so many by default that nothing is held back for fairness. */
  readonly parallel?: number
  /** Called with the ledger of every opening: for tests that plant a fault into its statements. */
  readonly plant?: (ledger: Ledger) => void
}

export interface NewJobOptions extends JobExtra {
  readonly input?: string
  readonly number?: number
}

/**
 * The owner's side of a journal in memory without thread, clock and places: what it enqueues, claims and settles goes
 * through the groups and acknowledgements of the real owner, one commit at a call.
 */
export class StoreDriver {
  readonly tasks: readonly string[]
  readonly places: readonly (readonly string[])[]
  readonly #open: (now: number) => Opened
  readonly #plant: (ledger: Ledger) => void
  readonly #limits: Readonly<Record<string, PartLimits>>
  readonly #maxWaiting: Readonly<Record<string, MaxWaiting>>
  readonly #placeMaxWaiting: MaxWaiting | undefined
  readonly #keepEndedMs: Readonly<Record<string, number>>
  readonly #parallel: number
  /** As of the next route. */
  outbound: Pick<Outbound, 'tasks' | 'stepMs'> | undefined
  store!: Store
  opened!: OpenedJournal
  now = START
  /** The claims that this owner holds. */
  hand = new Map<number, ClaimedJob>()
  /** Jobs that were turned away, and whose callers wait. */
  readonly heldBack: number[] = []
  #gather = new Gather()
  #added: Enqueued[] = []
  #nextNumber = 0
  #nextTaken = TAKEN_NUMBERS_FROM
  #group = 0

  constructor({ places = [['alpha', 'beta']], parked = [], ...options }: DriverOptions = {}) {
    this.places = places
    this.tasks = [...places.flat(), ...parked]
    this.#open = options.open ?? openerInMemory()
    this.#limits = options.limits ?? {}
    this.#maxWaiting = options.maxWaiting ?? {}
    this.#keepEndedMs = options.keepEndedMs ?? {}
    this.#placeMaxWaiting = options.placeMaxWaiting
    this.#parallel = options.parallel ?? 1_000
    this.outbound = options.outbound
    this.#plant = options.plant ?? (() => undefined)
    this.reopen()
  }

  get ledger(): Ledger {
    return this.store.ledger
  }

  get db(): Database {
    return this.ledger.db
  }

  /** The owner died, and another one opens what it has left; it has no room until it gets some. */
  reopen(): void {
    const { store, opened } = this.#open(this.now)
    this.store = store
    this.opened = opened
    this.hand = new Map()
    this.#gather = new Gather()
    this.#nextNumber = opened.firstNumber
    this.#group = opened.commits
    this.#plant(store.ledger)
    for (const task of this.tasks) if (!opened.tasks.includes(task)) this.#gather.addName(task)
    this.route()
  }

  /** Tells anew where tasks run; room starts anew with it, by default with none that is free. */
  route(capacity?: PlaceRoom): Reply {
    const names = [
      ...this.places.map((_, place) => `place ${place}`),
      ...(this.outbound === undefined ? [] : ['outbox']),
    ]
    this.#gather.route({
      places: names.map((name) => ({
        name,
        capacity: capacity ?? ONE,
        parallel: this.#parallel,
        ...(this.#placeMaxWaiting !== undefined && { maxWaiting: this.#placeMaxWaiting }),
      })),
      ...(this.outbound !== undefined && { outbound: { place: this.outbox, ...this.outbound } }),
      placeOf: this.tasks.map((task) => this.places.findIndex((names) => names.includes(task))),
      limits: this.tasks.map((task) => this.#limits[task]),
      maxWaiting: this.tasks.map((task) => this.#maxWaiting[task]),
      keepEndedMs: this.tasks.map((task) => this.#keepEndedMs[task]),
    })
    if (capacity === undefined) for (const place of names.keys()) this.addRoom(-1, place)
    return this.commit()
  }

  /** Index of the place that takes what goes out. */
  get outbox(): number {
    return this.places.length
  }

  /** Adds a job to the next commit. */
  add(task: string, options: NewJobOptions = {}): Enqueued {
    const { input = '{}', number = this.#nextNumber++, ...rest } = options
    const enqueued: Enqueued = { number }
    this.#gather.addJob({
      number,
      task: this.tasks.indexOf(task),
      input,
      extra: Object.keys(rest).length === 0 ? null : rest,
      accepted: (first, as) => {
        if (as === 'duplicate') enqueued.first = first
      },
      refused: (error) => {
        enqueued.error = error
      },
    })
    this.#added.push(enqueued)
    return enqueued
  }

  /** Gives numbers to somebody who never uses them. */
  giveOut(numbers: number): void {
    this.#nextNumber += numbers
  }

  /** Adds a delivery to the next commit. */
  addTaken(task: string, options: Partial<TakenJob> & Pick<TakenJob, 'id' | 'claim'>): Taking {
    const { number = this.#nextTaken++, ...rest } = options
    const taking: Taking = { number }
    this.#gather.addTaken({
      job: { ...this.#plain(task), ...rest, number },
      answered: (answer) => {
        taking.answer = answer
      },
    })
    return taking
  }

  #plain(task: string) {
    return { task: this.tasks.indexOf(task), input: '{}', attempt: 0, createdAt: this.now }
  }

  take(task: string, options: Partial<TakenJob> & Pick<TakenJob, 'id' | 'claim'>): Taking {
    const taking = this.addTaken(task, options)
    this.commit()
    return taking
  }

  enqueue(task: string, options: NewJobOptions = {}): Enqueued {
    const enqueued = this.add(task, options)
    this.commit()
    return enqueued
  }

  /** Gives a place room with the next commit. */
  addRoom(jobs: number, place = 0): void {
    this.#gather.addRoom(place, jobs, jobs * BYTES)
  }

  /** Gives a place room, and returns the numbers that it got for it, in their order. */
  claim(jobs: number, place = 0): number[] {
    this.addRoom(jobs, place)
    return this.commit().claims.flatMap(({ numbers }) => numbers)
  }

  /** The same, of one job with an input of so many bytes. */
  claimInRoomOf(bytes: number, place = 0): number[] {
    this.#gather.addRoom(place, 1, bytes)
    return this.commit().claims.flatMap(({ numbers }) => numbers)
  }

  /** Adds a plain success to the next commit. */
  addFinish(job: ClaimedJob): void {
    this.#gather.addFinished({
      job,
      outcome: { type: 'succeeded', output: '' },
      startedAt: undefined,
      endedAt: undefined,
    })
  }

  finish(job: ClaimedJob): Reply {
    this.addFinish(job)
    return this.commit()
  }

  /** Adds any end of a claim to the next commit, as the settler would write it. */
  addSettle(job: ClaimedJob, transition: Settle['transition'], more: Partial<Settle> = {}): void {
    const settle: Settle = { ...settleOf(job, transition, this.now), ...more }
    const ended = { job, outcome: { type: 'expired' }, startedAt: undefined, endedAt: undefined } as const
    this.#gather.addSettle({ ended, settle })
  }

  settle(job: ClaimedJob, transition: Settle['transition'], more: Partial<Settle> = {}): Reply {
    this.addSettle(job, transition, more)
    return this.commit()
  }

  /** Tells with the next commit that a claim has started. */
  addStart(number: number, at: number): void {
    this.#gather.addStart(number, at)
  }

  addRequest(request: Request): { answer?: Answer } {
    const asked: { answer?: Answer } = {}
    this.#gather.addRequest({
      request,
      answered: (answer) => {
        asked.answer = answer
      },
      refused: () => undefined,
    })
    return asked
  }

  request(request: Request): Answer {
    const asked = this.addRequest(request)
    this.commit()
    return asked.answer as Answer
  }

  cancel(number: number): Answer {
    return this.request({ type: 'cancel', number })
  }

  retry(number: number): Answer {
    return this.request({ type: 'revive', number })
  }

  /** Gives back everything that is held, and takes nothing more: what a stop does. */
  drain(): Reply {
    for (const job of this.hand.values()) this.addSettle(job, 'release')
    return this.route()
  }

  /** Lets time pass, which the journal notices in a commit. */
  advance(ms: number): Reply {
    this.now += ms
    return this.commit()
  }

  /** Writes all that was added, in one commit, and tells everybody what became of it. */
  commit(): Reply {
    const added = this.#added.splice(0)
    const sent = this.#gather.take(++this.#group, this.now, this.#nextNumber)
    const reply = this.store.commit([sent.group])[0] as Reply
    acknowledge(sent, reply, (job) => this.heldBack.push(job.number))
    const codes = Object.entries(appended)
    added.forEach((job, at) => {
      job.as = codes.find(([, code]) => code === reply.appended[at])?.[0] as keyof typeof appended
    })
    const lost = new Set([...reply.stale, ...reply.failedSettles.map(({ number }) => number)])
    for (const { job } of [...sent.finished, ...sent.settles.map(({ ended }) => ended)]) {
      if (!lost.has(job.number)) this.hand.delete(job.number)
    }
    const claimed = [
      ...shortCutsOf(sent, reply),
      ...acknowledgeTaken(sent, reply),
      ...reply.claims.flatMap(claimedJobs),
    ]
    for (const job of claimed) this.hand.set(job.number, job)
    sent.requests.forEach((entry, at) => entry.answered(reply.answers[at] as Answer))
    return reply
  }

  /** A claim that is held. */
  held(number: number): ClaimedJob {
    const job = this.hand.get(number)
    if (job === undefined) throw new Error(`job ${number} is not held`)
    return job
  }

  row(number: number): StoredJob | undefined {
    return journalQueries(this.ledger).record(number)
  }

  /** New jobs as an attempt sends them along with its success. */
  children(...tasks: readonly string[]): JobColumns {
    return columnsOf(
      tasks.map((task) => ({ number: this.#nextNumber++, task: this.tasks.indexOf(task), input: '{}', extra: null })),
    )
  }
}
