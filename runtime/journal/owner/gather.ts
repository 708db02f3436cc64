import { toErrorRecord } from '../../../lib/error-record.ts'
import { weightOf } from '../../../lib/job.ts'
import type { Ended } from '../../messages.ts'
import { type AppendedJob, columnsOf, pairsOf, splitSettles } from '../group-columns.ts'
import type { Answer, Group, Request, Routes, Settle, TakenAnswer, TakenJob } from '../protocol.ts'
import { mayBeRefused, type Patience } from '../refusal.ts'
import { takenColumnsOf } from '../crossing/taken-columns.ts'

/** A new job on its way to the journal; it becomes a `ClaimedJob` as it is if the commit writes it as claimed. */
export interface NewJob extends AppendedJob {
  /** The commit has it, under this number; 'duplicate': nothing was written, and the number is that of the key's job. */
  accepted(number: number, as: 'new' | 'duplicate'): void
  refused(error: unknown): void
}

export interface SettleEntry {
  readonly ended: Ended
  readonly settle: Settle
}

export interface RequestEntry {
  readonly request: Request
  answered(answer: Answer): void
  refused(error: unknown): void
}

/** A delivery on its way to the journal. */
export interface TakenEntry {
  readonly job: TakenJob
  answered(answer: TakenAnswer): void
}

/** A group that was sent, with everybody who waits for its reply. */
export interface Sent {
  readonly group: Group
  readonly jobs: readonly NewJob[]
  readonly finished: readonly Ended[]
  readonly settles: readonly SettleEntry[]
  readonly requests: readonly RequestEntry[]
  readonly taken: readonly TakenEntry[]
  /** Who waits for everything up to here. */
  readonly barriers: readonly Barrier[]
}

interface Barrier {
  /** How many jobs had been added before it. */
  readonly after: number
  passed(): void
  /** Of who does not wait for a disk that fails. */
  refused?(error: unknown): void
}

const GROUP_JOBS = 1_000
const GROUP_BYTES = 256 * 1024
const FEW = 16

/** What waits to be sent. It gathers while a group commits; that is all the batching there is. */
export class Gather {
  #jobs: NewJob[] = []
  #at = 0
  #finished: Ended[] = []
  #settles: SettleEntry[] = []
  #starts: number[] = []
  #asks: number[] = []
  #requests: RequestEntry[] = []
  #taking: TakenEntry[] = []
  #barriers: Barrier[] = []
  #added = 0
  #taken = 0
  #names: string[] = []
  #room = new Map<number, { jobs: number; bytes: number }>()
  #routes: Routes | undefined
  /** The group that has the newest routes: room that was given back in an older one is in their capacity. */
  #routedIn = 0
  /** Set when a group has to be sent although it carries nothing: time has passed, or the inbox has rows. */
  #nudged: 'yes' | 'no' = 'no'

  /** Whether there is nothing to send: room is only worth a commit when a job could use it, and starts when any waits. */
  isEmpty(claimable: number, waiting: number): boolean {
    return (
      this.#isNothingBesides &&
      this.#finished.length === 0 &&
      this.#settles.length === 0 &&
      (claimable === 0 || this.#room.size === 0) &&
      (waiting === 0 || this.#starts.length === 0)
    )
  }

  /**
   * They wait for the reply that is on its way: whoever it answers may enqueue something, and that is one commit with them,
   * where a caller that awaits one job after another would otherwise wait for two.
   */
  get isFewOutcomes(): boolean {
    return this.#isNothingBesides && this.#finished.length + this.#settles.length <= FEW
  }

  /** Besides outcomes, room and starts. */
  get #isNothingBesides(): boolean {
    return (
      this.#at === this.#jobs.length &&
      this.#requests.length === 0 &&
      this.#taking.length === 0 &&
      this.#barriers.length === 0 &&
      this.#names.length === 0 &&
      this.#routes === undefined &&
      this.#nudged === 'no'
    )
  }

  addJob(job: NewJob): void {
    this.#jobs.push(job)
    this.#added++
  }

  addFinished(ended: Ended): void {
    this.#finished.push(ended)
  }

  addSettle(entry: SettleEntry): void {
    this.#settles.push(entry)
  }

  /** A claim that has a rate has started. */
  addStart(number: number, at: number): void {
    this.#starts.push(number, at)
  }

  /** More jobs of an overloaded task wait to be let in. It goes with those that are. */
  addAsk(task: number): void {
    this.#asks.push(task)
  }

  addRequest(entry: RequestEntry): void {
    this.#requests.push(entry)
  }

  /** Barriers do not wait for it: it is its broker's until it is answered. */
  addTaken(entry: TakenEntry): void {
    this.#taking.push(entry)
  }

  /** Before all that waits, which may change the answer. */
  readonly askFirst = (request: Request): Promise<Answer> => {
    return new Promise((answered, refused) => this.#requests.unshift({ request, answered, refused }))
  };

  /** Outcomes that wait to be sent, and those under way. */
  *ended(sent: readonly Sent[]): Generator<Ended> {
    for (const { finished, settles } of [{ finished: this.#finished, settles: this.#settles }, ...sent]) {
      yield* finished
      for (const { ended } of settles) yield ended
    }
  }

  /** Calls back when all that was added before is committed or refused. */
  addBarrier(passed: () => void, refused?: (error: unknown) => void): void {
    this.#barriers.push({ after: this.#added, passed, ...(refused !== undefined && { refused }) })
  }

  addName(name: string): void {
    this.#names.push(name)
  }

  addRoom(place: number, jobs: number, bytes: number): void {
    const room = this.#room.get(place)
    if (room === undefined) this.#room.set(place, { jobs, bytes })
    else {
      room.jobs += jobs
      room.bytes += bytes
    }
  }

  /** New routes start room anew: what was given back before is in their capacity. */
  route(routes: Routes): void {
    this.#routes = routes
    this.#routedIn = Number.POSITIVE_INFINITY
    this.#room.clear()
  }

  nudge(): void {
    this.#nudged = 'yes'
  }

  /** Groups that were not committed. */
  sendAgain(groups: readonly Sent[]): void {
    for (const sent of groups.toReversed()) this.restore(sent)
    this.#putInFront(groups.flatMap(({ jobs }) => jobs))
    this.#taking = [...groups.flatMap(({ taken }) => taken), ...this.#taking]
  }

  /** Jobs that were taken before those that wait, and are not written: barriers go on waiting for them. */
  #putInFront(jobs: readonly NewJob[]): void {
    this.#jobs = [...jobs, ...this.#jobs.slice(this.#at)]
    this.#at = 0
    this.#taken -= jobs.length
  }

  /** Takes everything that was not written back in, to be sent again. */
  restore(sent: Sent): void {
    this.#finished = [...sent.finished, ...this.#finished]
    this.#settles = [...sent.settles, ...this.#settles]
    this.#asks.unshift(...(sent.group.asks ?? []))
    this.#starts.unshift(...(sent.group.starts ?? []))
    this.#names = [...sent.group.names, ...this.#names]
    this.#barriers = [...sent.barriers, ...this.#barriers]
    this.#requests = [...sent.requests, ...this.#requests]
    this.#restoreRoom(sent.group)
  }

  #restoreRoom({ number, routes, room }: Group): void {
    if (number < this.#routedIn) return
    this.#routes = routes ?? this.#routes
    for (let at = 0; at < room.length; at += 3) {
      this.addRoom(room[at] as number, room[at + 1] as number, room[at + 2] as number)
    }
  }

  /**
   * Refuses all jobs and requests that wait, for one reason. What has to be written goes on waiting, and so do barriers of
   * who has the patience.
   */
  refuse(error: unknown, patience: Patience): void {
    for (const job of this.#takeJobs(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)) job.refused(error)
    refuseTaken(this.#taking.splice(0), error)
    const requests = this.#requests
    this.#requests = requests.filter(({ request }) => !mayBeRefused(request, patience))
    for (const entry of requests) if (mayBeRefused(entry.request, patience)) entry.refused(error)
    this.#barriers = refuseBarriers(this.#barriers, error)
    if (patience === 'none') this.#passAll()
  }

  /** Nothing will ever be sent. */
  abandon(error: unknown): void {
    this.refuse(error, 'none')
    for (const request of this.#requests.splice(0)) request.refused(error)
  }

  #passAll(): void {
    for (const barrier of this.#barriers.splice(0)) barrier.passed()
  }

  /** The next group: settles first and all of them, new jobs as many as fit. */
  take(number: number, now: number, nextNumber: number): Sent {
    const jobs = this.#takeJobs(GROUP_JOBS, GROUP_BYTES)
    const barriers = this.#barriers.filter((barrier) => barrier.after <= this.#taken)
    this.#barriers = this.#barriers.filter((barrier) => barrier.after > this.#taken)
    const finished = this.#finished
    const settles = this.#settles
    const requests = this.#requests
    const taken = this.#takeDeliveries()
    const group: Group = {
      number,
      now,
      nextNumber,
      names: this.#names,
      routes: this.#routes,
      room: [...this.#room].flatMap(([place, { jobs, bytes }]) => [place, jobs, bytes]),
      jobs: jobs.length === 0 ? undefined : columnsOf(jobs),
      done: finished.length === 0 ? undefined : pairsOf(finished),
      ...splitSettles(settles),
      ...(this.#asks.length > 0 && { asks: this.#asks }),
      ...(this.#starts.length > 0 && { starts: Float64Array.from(this.#starts) }),
      requests: requests.map((entry) => entry.request),
      ...(taken.length > 0 && { taken: takenColumnsOf(taken.map(({ job }) => job)) }),
    }
    this.#finished = []
    this.#settles = []
    this.#requests = []
    this.#starts = []
    this.#asks = []
    this.#names = []
    this.#room.clear()
    if (this.#routes !== undefined) this.#routedIn = number
    this.#routes = undefined
    this.#nudged = 'no'
    return { group, jobs, finished, settles, requests, taken, barriers }
  }

  #takeDeliveries(): TakenEntry[] {
    let end = 0
    for (let bytes = 0; end < this.#taking.length && end < GROUP_JOBS && bytes < GROUP_BYTES; end++) {
      const { job } = this.#taking[end] as TakenEntry
      bytes += weightOf({ input: job.input, extra: job })
    }
    return this.#taking.splice(0, end)
  }

  #takeJobs(most: number, mostBytes: number): NewJob[] {
    const jobs = this.#jobs
    let end = this.#at
    for (let bytes = 0; end < jobs.length && end - this.#at < most && bytes < mostBytes; end++) {
      bytes += weightOf(jobs[end] as NewJob)
    }
    this.#taken += end - this.#at
    const taken = this.#at === 0 && end === jobs.length ? jobs : jobs.slice(this.#at, end)
    if (end === jobs.length) {
      this.#jobs = []
      this.#at = 0
    } else if (end * 2 > jobs.length) {
      this.#jobs = jobs.slice(end)
      this.#at = 0
    } else this.#at = end
    return taken
  }
}

/** Returns those that go on waiting. */
export function refuseBarriers(barriers: readonly Barrier[], error: unknown): Barrier[] {
  for (const barrier of barriers) barrier.refused?.(error)
  return barriers.filter(({ refused }) => refused === undefined)
}

/** What a group had that was new. */
export function refuseSent({ jobs, taken }: Sent, error: unknown): void {
  for (const job of jobs) job.refused(error)
  refuseTaken(taken, error)
}

/** Its broker delivers it again. */
export function refuseTaken(taken: readonly TakenEntry[], error: unknown): void {
  for (const entry of taken) entry.answered({ type: 'failed', error: toErrorRecord(error) })
}
