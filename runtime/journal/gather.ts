import type { JobExtra } from '../../lib/job.ts'
import type { Ended } from '../messages.ts'
import type { Answer, Group, JobColumns, Request, Routes, Settle } from './protocol.ts'

/** A new job on its way to the journal; it becomes a `ClaimedJob` as it is if the commit writes it as claimed. */
export interface NewJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra | null
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

/** A group that was sent, with everybody who waits for its reply. */
export interface Sent {
  readonly group: Group
  readonly jobs: readonly NewJob[]
  readonly finished: readonly Ended[]
  readonly settles: readonly SettleEntry[]
  readonly requests: readonly RequestEntry[]
  /** Who waits for everything up to here. */
  readonly barriers: readonly Barrier[]
}

interface Barrier {
  /** How many jobs had been added before it. */
  readonly after: number
  passed(): void
}

const GROUP_JOBS = 1_000
const GROUP_BYTES = 256 * 1024

/** What waits to be sent. It gathers while a group commits; that is all the batching there is. */
export class Gather {
  #jobs: NewJob[] = []
  #at = 0
  #finished: Ended[] = []
  #settles: SettleEntry[] = []
  #requests: RequestEntry[] = []
  #barriers: Barrier[] = []
  #added = 0
  #taken = 0
  #names: string[] = []
  #room = new Map<number, { jobs: number; bytes: number }>()
  #routes: Routes | undefined
  /** Set when a group has to be sent although it carries nothing: time has passed, or the inbox has rows. */
  #nudged: 'yes' | 'no' = 'no'

  /** Whether there is nothing to send; room alone is only worth a commit when something waits for it. */
  isEmpty(room: 'matters' | 'can wait'): boolean {
    return (
      this.#at === this.#jobs.length &&
      this.#finished.length === 0 &&
      this.#settles.length === 0 &&
      this.#requests.length === 0 &&
      (room === 'can wait' || this.#room.size === 0) &&
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

  addRequest(entry: RequestEntry): void {
    this.#requests.push(entry)
  }

  /** Outcomes that wait to be sent. */
  *ended(): Generator<Ended> {
    yield* this.#finished
    for (const { ended } of this.#settles) yield ended
  }

  /** Calls back when all that was added before is committed or refused. */
  addBarrier(passed: () => void): void {
    this.#barriers.push({ after: this.#added, passed })
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
    this.#room.clear()
  }

  nudge(): void {
    this.#nudged = 'yes'
  }

  /** Takes everything that was not written back in, to be sent again. */
  restore(sent: Sent): void {
    this.#finished = [...sent.finished, ...this.#finished]
    this.#settles = [...sent.settles, ...this.#settles]
    this.#names = [...sent.group.names, ...this.#names]
    this.#barriers = [...sent.barriers, ...this.#barriers]
    this.#routes ??= sent.group.routes
    for (let at = 0; at < sent.group.room.length; at += 3) {
      this.addRoom(sent.group.room[at] as number, sent.group.room[at + 1] as number, sent.group.room[at + 2] as number)
    }
  }

  /** Refuses all jobs and requests that wait, for one reason. */
  refuse(error: unknown): void {
    for (const job of this.#takeJobs(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)) job.refused(error)
    for (const request of this.#requests.splice(0)) request.refused(error)
    for (const barrier of this.#barriers.splice(0)) barrier.passed()
  }

  /** The next group: settles first and all of them, new jobs as many as fit. */
  take(number: number, now: number): Sent {
    const jobs = this.#takeJobs(GROUP_JOBS, GROUP_BYTES)
    const barriers = this.#barriers.filter((barrier) => barrier.after <= this.#taken)
    this.#barriers = this.#barriers.filter((barrier) => barrier.after > this.#taken)
    const finished = this.#finished
    const settles = this.#settles
    const requests = this.#requests
    const group: Group = {
      number,
      now,
      names: this.#names,
      routes: this.#routes,
      room: [...this.#room].flatMap(([place, { jobs, bytes }]) => [place, jobs, bytes]),
      jobs: jobs.length === 0 ? undefined : columnsOf(jobs),
      done: finished.length === 0 ? undefined : pairsOf(finished),
      settles: settles.map((entry) => entry.settle),
      requests: requests.map((entry) => entry.request),
    }
    this.#finished = []
    this.#settles = []
    this.#requests = []
    this.#names = []
    this.#room.clear()
    this.#routes = undefined
    this.#nudged = 'no'
    return { group, jobs, finished, settles, requests, barriers }
  }

  #takeJobs(most: number, mostBytes: number): NewJob[] {
    const jobs = this.#jobs
    let end = this.#at
    for (let bytes = 0; end < jobs.length && end - this.#at < most && bytes < mostBytes; end++) {
      bytes += (jobs[end] as NewJob).input.length
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

export function columnsOf(jobs: readonly Pick<NewJob, 'number' | 'task' | 'input' | 'extra'>[]): JobColumns {
  const numbers = new Array<number>(jobs.length)
  const tasks = new Array<number>(jobs.length)
  const inputs = new Array<string>(jobs.length)
  let extras: (JobExtra | null)[] | null = null
  for (let at = 0; at < jobs.length; at++) {
    const job = jobs[at] as NewJob
    numbers[at] = job.number
    tasks[at] = job.task
    inputs[at] = job.input
    if (job.extra !== null) {
      extras ??= new Array<JobExtra | null>(jobs.length).fill(null)
      extras[at] = job.extra
    }
  }
  return { numbers, tasks, inputs, extras }
}

function pairsOf(finished: readonly Ended[]): Float64Array {
  const pairs = new Float64Array(finished.length * 2)
  for (let at = 0; at < finished.length; at++) {
    const { number, claim } = (finished[at] as Ended).job
    pairs[at * 2] = number
    pairs[at * 2 + 1] = claim
  }
  return pairs
}
