import assert from 'node:assert/strict'
import fc from 'fast-check'
import { stateCodes } from '../../lib/job-state.ts'
import { decodeOutcomes, encodeOutcome, encodeUnrun, type HomewardOutcome } from '../../lib/homeward.ts'
import { formatJobId, parseJobId } from '../../lib/job.ts'
import type { OutcomeAtHome, TakenVerdict } from '../../runtime/journal/protocol.ts'
import { OUTBOUND_RANK } from '../../runtime/journal/schema/schema.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { StoreDriver, type Taking } from './store-driver.ts'

const PUBLICATIONS = 2 ** 20
const DAY_MS = 24 * 3_600_000
const OUTBOUND = { tasks: ['out', 'here'], stepMs: undefined } as const

/** What a broker holds. */
interface Message {
  /** Of the job where it was enqueued. */
  readonly number: number
  readonly claim: number
  readonly attempt: number
}

type Run = 'done' | 'again' | 'dead' | 'soon' | 'release'

/** What may happen between two machines and a broker that delivers at least once. */
export type CrossingStep =
  | { readonly type: 'enqueue' | 'tell' | 'crash of the worker' | 'crash of the origin' }
  | { readonly type: 'publish'; readonly end: 'confirmed' | 'death' | 'gave up' }
  | { readonly type: 'deliver' | 'double' | 'cancel'; readonly pick: number }
  | { readonly type: 'run'; readonly pick: number; readonly how: Run }
  | { readonly type: 'room'; readonly jobs: number }
  | { readonly type: 'home'; readonly end: 'sent' | 'doubt' }
  | { readonly type: 'advance'; readonly ms: number }

const pick = fc.nat(100)

export const crossingStep: fc.Arbitrary<CrossingStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('enqueue' as const, 'tell' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('crash of the worker' as const, 'crash of the origin' as const) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('publish' as const),
      end: fc.constantFrom('confirmed' as const, 'confirmed' as const, 'death' as const, 'gave up' as const),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('deliver' as const, 'deliver' as const, 'double' as const, 'cancel' as const),
      pick,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('run' as const),
      pick,
      how: fc.constantFrom<Run[]>('done', 'again', 'dead', 'soon', 'release'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('room' as const), jobs: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('home' as const),
      end: fc.constantFrom('sent' as const, 'doubt' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constant(600) }) },
)

/** Two journals, one that sends jobs and one that takes them, and the broker between them as a list of messages. */
export class CrossingPlay {
  readonly origin = new StoreDriver({ outbound: OUTBOUND })
  readonly worker = new StoreDriver({ outbound: OUTBOUND })
  #queue: Message[] = []
  /** Deliveries that the broker still waits for, by the number that they have here. */
  readonly #unsettled = new Map<number, Message>()
  /** Verdicts that are committed, and that the broker has not been told. */
  readonly #verdicts = new Map<number, TakenVerdict>()
  /** Claims that have ended where they ran. */
  readonly #ended = new Set<string>()
  readonly #enqueued = new Set<number>()
  readonly #cameHome = new Set<number>()

  run(step: CrossingStep): void {
    this.#perform(step)
    this.#check()
  }

  /** From here on everything goes well. */
  finish(): void {
    for (let round = 0; round < 200 && this.#isUnfinished(); round++) {
      this.run({ type: 'publish', end: 'confirmed' })
      for (let at = this.#queue.length; at > 0; at--) this.run({ type: 'deliver', pick: 0 })
      this.run({ type: 'room', jobs: 3 })
      for (let at = this.worker.hand.size; at > 0; at--) this.run({ type: 'run', pick: 0, how: 'done' })
      while (this.#verdicts.size > 0) this.run({ type: 'tell' })
      this.run({ type: 'home', end: 'sent' })
      this.run({ type: 'advance', ms: 1_000 })
    }
    assert.equal(this.#isUnfinished(), false, 'every job ends')
    for (const number of this.#enqueued) {
      const state = this.origin.row(number)?.state
      assert.ok(
        state === undefined || state === stateCodes.dead || state === stateCodes.cancelled,
        `${number}: ${state}`,
      )
    }
    assert.deepEqual([...this.#unsettled], [], 'the broker waits for nothing')
    assert.equal(idsOf(this.worker).length, 0)
  }

  close(): void {
    this.origin.db.close()
    this.worker.db.close()
  }

  #perform(step: CrossingStep): void {
    switch (step.type) {
      case 'enqueue':
        this.#enqueued.add(this.origin.enqueue('alpha').number)
        return
      case 'publish':
        return this.#publish(step.end)
      case 'deliver':
        return this.#deliver(step.pick)
      case 'double':
        return this.#double(step.pick)
      case 'cancel':
        return this.#cancel(step.pick)
      case 'run':
        return this.#runOne(step.pick, step.how)
      case 'tell':
        for (const [number, verdict] of [...this.#verdicts].slice(0, 1)) this.#settle(number, verdict)
        return
      case 'room':
        return void this.worker.claim(step.jobs)
      case 'home':
        return this.#home(step.end)
      case 'crash of the worker':
        return this.#crashOfWorker()
      case 'crash of the origin':
        return this.#crashOfOrigin()
      case 'advance':
        this.origin.advance(step.ms)
        return void this.worker.advance(step.ms)
    }
  }

  #publish(end: 'confirmed' | 'death' | 'gave up'): void {
    const { origin } = this
    if (origin.hand.size === 0) origin.claim(1, origin.outbox)
    const [job] = origin.hand.values()
    if (job === undefined) return
    assert.ok(job.rank >= OUTBOUND_RANK, 'what goes out runs nowhere here')
    if (end === 'gave up') return void origin.settle(job, 'release')
    this.#queue.push({ number: job.number, claim: job.claim * PUBLICATIONS, attempt: job.attempt })
    if (end === 'death') return this.#crashOfOrigin()
    origin.settle(job, 'hand-over', { keepUntil: origin.now + 7 * DAY_MS })
  }

  #deliver(pick: number): void {
    const message = take(this.#queue, pick)
    if (message === undefined) return
    const { attempt, claim } = message
    const { number, answer }: Taking = this.worker.take('alpha', {
      id: idOf(message),
      claim,
      attempt,
      reply: 'node.origin',
    })
    switch (answer?.type) {
      case 'taken':
        if (answer.instead !== undefined) this.#unsettled.delete(answer.instead.number)
        this.#unsettled.set(number, message)
        return
      case 'ended':
        assert.ok(this.#ended.has(keyOf(message)), 'only what has ended is told as ended')
        return this.#apply(answer.verdict, message)
      case 'here':
        assert.deepEqual(this.#unsettled.get(answer.number)?.claim, claim)
        return
      case 'unwanted':
        return void this.#arrive(encodeUnrun({ id: idOf(message), task: 'alpha', claim, attempt }, 'cancel-running'))
      case 'overtaken':
        return
      default:
        assert.fail(JSON.stringify(answer))
    }
  }

  /** A connection was lost, and the broker delivers what may be under way once more; or a message was published twice. */
  #double(pick: number): void {
    const all = [...this.#queue, ...this.#unsettled.values()]
    const message = all[pick % Math.max(1, all.length)]
    if (message !== undefined) this.#queue.push(message)
  }

  #cancel(pick: number): void {
    const numbers = [...this.#enqueued]
    const number = numbers[pick % Math.max(1, numbers.length)]
    if (number === undefined) return
    const answer = this.origin.cancel(number)
    if (answer.type === 'cancelled') this.#cameHome.add(number)
    if (answer.type !== 'requested' || answer.state !== stateCodes.away) return
    const ids = [idOf({ number })]
    const unwanted = this.worker.request({
      type: 'unwant',
      ids,
      sentBefore: this.worker.now,
      until: this.worker.now + DAY_MS,
    })
    assert.ok(unwanted.type === 'unwanted')
    for (const ended of unwanted.ended) {
      this.#ended.add(keyOf(this.#unsettled.get(ended) as Message))
      this.#verdicts.set(ended, { type: 'done' })
    }
  }

  #runOne(pick: number, how: Run): void {
    const jobs = [...this.worker.hand.values()]
    const job = jobs[pick % Math.max(1, jobs.length)]
    if (job === undefined) return
    const message = this.#unsettled.get(job.number)
    if (message !== undefined) assert.ok(!this.#ended.has(keyOf(message)), `${keyOf(message)} had ended, and runs`)
    const stale = this.#end(job, how, message)
    assert.equal(stale, message === undefined, 'only what was overtaken is stale')
    if (stale) this.worker.hand.delete(job.number)
  }

  /** Returns whether its settle was stale. */
  #end(job: ClaimedJob, how: Run, message: Message | undefined): boolean {
    const { worker } = this
    if (how === 'release') return worker.settle(job, 'release').stale.length > 0
    if (how === 'soon') return worker.settle(job, 'retry', { dueAt: worker.now + 500 }).stale.length > 0
    const attempt = job.attempt + 1
    const verdict: TakenVerdict =
      how === 'again'
        ? { type: 'again', attempt, dueAt: worker.now }
        : how === 'done'
          ? { type: 'done' }
          : { type: 'dead', reason: 'x' }
    const of = message ?? { number: 0, claim: 0, attempt: 0 }
    const outcome: HomewardOutcome = {
      id: idOf(of),
      task: 'alpha',
      claim: of.claim,
      attempt,
      output: '',
      ...(how === 'done' ? { transition: 'succeed' } : { transition: 'die', keepMs: DAY_MS }),
    }
    const home = how === 'again' ? {} : { home: encodeOutcome(outcome) }
    const taken = { id: idOf(of), verdict, remember: 'yes', ...home } as const
    const transition = how === 'again' ? 'retry' : how === 'done' ? 'succeed' : 'die'
    const row = how === 'done' ? 'drop' : 'keep'
    const stale = worker.settle(job, transition, { taken, row }).stale.length > 0
    if (stale || message === undefined) return stale
    this.#ended.add(keyOf(message))
    this.#verdicts.set(job.number, verdict)
    return false
  }

  #settle(number: number, verdict: TakenVerdict): void {
    this.#verdicts.delete(number)
    const message = this.#unsettled.get(number)
    this.#unsettled.delete(number)
    if (message !== undefined) this.#apply(verdict, message)
  }

  #apply(verdict: TakenVerdict, message: Message): void {
    if (verdict.type !== 'again') return
    this.#queue.push({ number: message.number, claim: message.claim + 1, attempt: verdict.attempt })
  }

  #home(end: 'sent' | 'doubt'): void {
    const unsent = this.worker.request({ type: 'unsent', after: 0, limit: 100 })
    assert.ok(unsent.type === 'unsent')
    for (const { outcomes, text } of unsent.homes) assert.equal(this.#arrive(text), outcomes)
    if (end === 'sent') this.worker.request({ type: 'sent-home', sent: unsent.homes.map(({ seq }) => seq) })
  }

  /** Returns how many outcomes there were. */
  #arrive(text: string): number {
    const told = decodeOutcomes(Buffer.from(text)).map((each) => this.#homecoming(each))
    // Of a stale settle nobody knows which job it was.
    this.#comeHome(told.filter(({ number }) => number > 0))
    return told.length
  }

  #homecoming({ id, claim, transition, attempt }: HomewardOutcome): OutcomeAtHome {
    const at = { endedAt: this.origin.now, keepUntil: this.origin.now + DAY_MS }
    const end = transition === 'succeed' ? ({ row: 'drop' } as const) : ({ row: 'keep', ...at } as const)
    const settle = { transition, attempt, ...end }
    return { number: parseJobId(id)?.number as number, claim: Math.floor(claim / PUBLICATIONS), settle }
  }

  #comeHome(outcomes: readonly OutcomeAtHome[]): void {
    const away = new Map(
      outcomes.map(({ number }) => [number, this.origin.row(number)?.state === stateCodes.away] as const),
    )
    const answer = this.origin.request({ type: 'come-home', outcomes })
    assert.ok(answer.type === 'home')
    outcomes.forEach(({ number }, at) => {
      if (answer.came[at] === 'stale') return
      assert.equal(answer.came[at], 'came')
      assert.ok(away.get(number), 'only what is away comes home')
      assert.ok(!this.#cameHome.has(number), `${number} came home twice`)
      this.#cameHome.add(number)
    })
  }

  #crashOfWorker(): void {
    this.#queue.push(...this.#unsettled.values())
    this.#unsettled.clear()
    this.#verdicts.clear()
    this.worker.reopen()
    assert.deepEqual(idsOf(this.worker), [], 'what was taken is forgotten')
  }

  #crashOfOrigin(): void {
    const away = idsOf(this.origin, stateCodes.away)
    this.origin.reopen()
    for (const { number } of this.origin.opened.recovered.cancelled) this.#cameHome.add(number)
    assert.deepEqual(idsOf(this.origin, stateCodes.away), away, 'what is away stays away')
  }

  #isUnfinished(): boolean {
    return this.#queue.length > 0 || this.#unsettled.size > 0 || this.#cameHome.size < this.#enqueued.size
  }

  #check(): void {
    const here = [...this.#unsettled.keys()].filter((number) => !this.#verdicts.has(number))
    assert.deepEqual(
      idsOf(this.worker),
      here.toSorted((a, b) => a - b),
      'a row for each delivery, and no other',
    )
    const jobs = here.map((number) => this.#unsettled.get(number)?.number)
    assert.equal(new Set(jobs).size, jobs.length, 'no job is here twice')
    const { available } = stateCodes
    assert.equal(this.worker.ledger.waitingJobs, idsOf(this.worker, available).length)
    assert.equal(this.origin.ledger.outbound.waiting.total, idsOf(this.origin, available).length)
    assert.equal(this.origin.ledger.waiting.total, 0)
    for (const number of here) assert.ok(this.worker.ledger.taken.has(number))
  }
}

/** Those whose rows are put off are running. */
function idsOf({ db, ledger }: StoreDriver, state?: number): number[] {
  const where = state === undefined ? '' : `WHERE state = ${state}`
  const rows = db.prepare<[], number>(`SELECT id FROM millrace_jobs ${where}`).pluck().all()
  const late = state === undefined || state === stateCodes.running ? [...ledger.late].map(([number]) => number) : []
  return [...rows, ...late].sort((a, b) => a - b)
}

function idOf({ number }: Pick<Message, 'number'>): string {
  return formatJobId('origin', number)
}

function keyOf(message: Message): string {
  return `${idOf(message)} ${message.claim}`
}

function take(messages: Message[], pick: number): Message | undefined {
  return messages.splice(pick % Math.max(1, messages.length), 1)[0]
}
