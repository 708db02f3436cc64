import assert from 'node:assert/strict'
import fc from 'fast-check'
import { stateCodes } from '../../lib/job-state.ts'
import type { PartLimits } from '../../lib/limits.ts'
import type { Settle } from '../../runtime/journal/protocol.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { StoreDriver } from './store-driver.ts'

const ENDS = ['finish', 'succeed', 'retry', 'snooze', 'release', 'die', 'expire'] as const

interface StepJob {
  readonly task: string
  readonly c: number
  readonly f: number
  readonly priority?: number
  readonly delayMs?: number
  readonly expiresInMs?: number
}

/** What may happen to a journal some of whose tasks have limits. */
export type LimitedStep =
  | { readonly type: 'enqueue'; readonly jobs: readonly StepJob[] }
  | { readonly type: 'claim'; readonly jobs: number; readonly place: number }
  | { readonly type: 'end'; readonly end: (typeof ENDS)[number]; readonly pick: number }
  /** A claim starts, and its place tells it at once or only with the end. */
  | { readonly type: 'start'; readonly pick: number; readonly told: 'at once' | 'never' }
  | { readonly type: 'cancel' | 'retry'; readonly pick: number }
  | { readonly type: 'reschedule'; readonly pick: number; readonly inMs: number; readonly priority: number }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'lose' | 'crash' | 'fail' }

const pick = fc.nat(1_000)
const job = fc.record(
  {
    task: fc.constantFrom('alpha', 'alpha', 'beta', 'gamma', 'delta'),
    c: fc.nat(2),
    f: fc.nat(1),
    priority: fc.integer({ min: 3, max: 5 }),
    delayMs: fc.nat(2_000),
    expiresInMs: fc.integer({ min: 100, max: 4_000 }),
  },
  { requiredKeys: ['task', 'c', 'f'] },
)

export const limitedStep: fc.Arbitrary<LimitedStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('enqueue' as const),
      jobs: fc.array(job, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('claim' as const),
      jobs: fc.integer({ min: 1, max: 8 }),
      place: fc.nat(1),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('end' as const), end: fc.constantFrom(...ENDS), pick }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('start' as const),
      pick,
      told: fc.constantFrom('at once' as const, 'at once' as const, 'never' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('cancel' as const, 'retry' as const), pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('reschedule' as const),
      pick,
      inMs: fc.integer({ min: -1, max: 1_000 }),
      priority: fc.integer({ min: 3, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.nat(1_500) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('lose' as const, 'crash' as const, 'fail' as const) }),
  },
)

/** Limits of the tasks that have some. */
export type Limited = Readonly<Record<string, PartLimits>>

const rate = fc.record(
  {
    limit: fc.integer({ min: 1, max: 4 }),
    perMs: fc.constantFrom(200, 1_000),
    burst: fc.nat(2),
    by: fc.constant('c' as const),
  },
  { requiredKeys: ['limit', 'perMs', 'burst'] },
)

export const limitedTasks: fc.Arbitrary<Limited> = fc.record({
  alpha: fc.record(
    {
      rate,
      concurrency: fc.record(
        { limit: fc.integer({ min: 1, max: 3 }), by: fc.constant('c' as const) },
        { requiredKeys: ['limit'] },
      ),
      fair: fc.constant({ by: 'f' as const }),
    },
    { requiredKeys: ['concurrency'] },
  ),
  beta: fc.record({ rate }),
  gamma: fc.record({ concurrency: fc.record({ limit: fc.integer({ min: 1, max: 2 }) }) }),
})

interface Row {
  readonly id: number
  readonly task: string
  readonly part: string | null
  readonly rank: number
  readonly ord: number
}

/** Plays steps on a journal, and after each of them looks at its rows: is a limit broken, does anything wait in vain? */
export class LimitedPlay {
  readonly driver: StoreDriver
  readonly #limits: Limited
  readonly #rows
  readonly #parts
  /** When claims that are held have started. */
  readonly #startedAt = new Map<number, number>()
  readonly #starts: { readonly at: number; readonly row: Pick<Row, 'task' | 'part'> }[] = []

  constructor(limits: Limited) {
    this.#limits = limits
    this.driver = new StoreDriver({ places: [['alpha', 'beta', 'gamma'], ['delta']], limits })
    this.#rows = this.driver.db.prepare<[number], Row>(`
      SELECT j.id, t.name AS task, part, rank, ord FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task
      WHERE state = ? ORDER BY rank, ord`)
    this.#parts = this.driver.db.prepare<[number], Pick<Row, 'task' | 'part'>>(`
      SELECT t.name AS task, part FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task WHERE j.id = ?`)
  }

  run(step: LimitedStep): void {
    this.#perform(step)
    this.#nothingBreaksALimit()
    this.#noRateIsBroken()
    this.#nothingWaitsInVain()
    this.#countsAreRight()
  }

  /** Lets everything run that can. */
  finish(): void {
    for (let round = 0; this.#open() > 0; round++) {
      assert.ok(round < 2_000, 'something waits for ever')
      this.run({ type: 'advance', ms: 200 })
      for (const place of [0, 1]) this.run({ type: 'claim', jobs: 4, place })
      while (this.driver.hand.size > 0) {
        this.run({ type: 'start', pick: 0, told: round % 2 === 0 ? 'at once' : 'never' })
        this.run({ type: 'end', end: 'finish', pick: 0 })
      }
    }
  }

  #perform(step: LimitedStep): void {
    const { driver } = this
    switch (step.type) {
      case 'enqueue':
        for (const job of step.jobs) this.#add(job)
        return void driver.commit()
      case 'claim':
        return void driver.claim(step.jobs, step.place)
      case 'end':
        return this.#end(step.end, step.pick)
      case 'start':
        return this.#start(this.#held(step.pick), step.told)
      case 'cancel':
        return void driver.cancel(this.#numberOf(step.pick))
      case 'retry':
        return void driver.retry(this.#numberOf(step.pick))
      case 'reschedule':
        return this.#reschedule(step)
      case 'advance':
        return void driver.advance(step.ms)
      case 'lose':
        return this.#lose()
      case 'crash':
        return this.#crash()
      case 'fail':
        return this.#fail()
    }
  }

  #add({ task, c, f, priority, delayMs, expiresInMs }: StepJob): void {
    const limits = this.#limits[task]
    const keyed = [limits?.concurrency, limits?.rate, limits?.fair].some((each) => each?.by !== undefined)
    this.driver.add(task, {
      ...(priority !== undefined && { priority }),
      ...(delayMs !== undefined && { dueAt: this.driver.now + delayMs }),
      ...(expiresInMs !== undefined && { expiresAt: this.driver.now + expiresInMs }),
      ...(keyed && { part: JSON.stringify({ c, f }) }),
    })
  }

  #end(end: (typeof ENDS)[number], pick: number): void {
    const job = this.#held(pick)
    if (job === undefined) return
    // Only what comes back, or could not start in time, may end without a start.
    if (end !== 'release' && end !== 'expire') this.#start(job, 'never')
    const startedAt = this.#startedAt.get(job.number)
    const run = startedAt === undefined ? {} : { startedAt, ranMs: this.driver.now - startedAt }
    this.#startedAt.delete(job.number)
    if (end === 'finish') this.driver.finish(job)
    else this.driver.settle(job, end satisfies Settle['transition'], run)
  }

  #held(pick: number): ClaimedJob | undefined {
    const held = [...this.driver.hand.values()]
    return held[pick % Math.max(1, held.length)]
  }

  #start(job: ClaimedJob | undefined, told: 'at once' | 'never'): void {
    if (job === undefined || this.#startedAt.has(job.number)) return
    this.#startedAt.set(job.number, this.driver.now)
    this.#starts.push({ at: this.driver.now, row: this.#parts.get(job.number) as Row })
    if (told === 'never') return
    this.driver.addStart(job.number, this.driver.now)
    this.driver.commit()
  }

  /** The process dies just when all that it had claimed has started. */
  #crash(): void {
    for (const job of this.driver.hand.values()) this.#start(job, 'never')
    this.#startedAt.clear()
    this.driver.reopen()
  }

  #reschedule({ pick, inMs, priority }: Extract<LimitedStep, { type: 'reschedule' }>): void {
    const number = this.#numberOf(pick)
    this.driver.request({ type: 'reschedule', number, dueAt: this.driver.now + inMs, rank: 9 - priority })
  }

  /** The news of a claim are lost on their way. */
  #lose(): void {
    const [first] = this.driver.hand.keys()
    if (first !== undefined) this.driver.hand.delete(first)
    this.#startedAt.delete(first ?? 0)
    const held = new Map([...this.driver.hand.values()].map(({ number, claim }) => [number, claim]))
    this.driver.request({ type: 'reconcile', held })
  }

  /** A commit is rolled back after all of it was done. */
  #fail(): void {
    const { driver } = this
    driver.addRoom(5)
    driver.add('alpha', { part: JSON.stringify({ c: 0, f: 0 }) })
    driver.add('alpha', { input: JSON.stringify('x'.repeat(300_000)) })
    const pages = driver.db.pragma('page_count', { simple: true }) as number
    driver.db.pragma(`max_page_count = ${pages}`)
    assert.throws(() => driver.commit())
    driver.db.pragma('max_page_count = 1000000')
  }

  #numberOf(pick: number): number {
    const ids = this.driver.db.prepare<[], number>('SELECT id FROM millrace_jobs ORDER BY id').pluck().all()
    return ids[pick % Math.max(1, ids.length)] ?? 0
  }

  #open(): number {
    const { available, running, scheduled } = stateCodes
    return [available, running, scheduled].reduce((sum: number, state) => sum + this.#rows.all(state).length, 0)
  }

  #nothingBreaksALimit(): void {
    const running = this.#rows.all(stateCodes.running)
    for (const row of running) assert.ok(this.#fits(row, running, 0), `${row.task} ${row.part} has too many at once`)
  }

  #noRateIsBroken(): void {
    for (const [task, { rate }] of Object.entries(this.#limits)) {
      if (rate === undefined) continue
      const counts = new Map<unknown, number>()
      for (const { at, row } of this.#starts) {
        if (row.task !== task || at <= this.driver.now - rate.perMs) continue
        const key = rate.by === undefined ? '' : keyOf(row.part, rate.by)
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
      for (const count of counts.values()) assert.ok(count <= rate.limit + rate.burst, `${count} starts of ${task}`)
    }
  }

  /** Where there is room, what waits is held up by a limit. */
  #nothingWaitsInVain(): void {
    const running = this.#rows.all(stateCodes.running)
    const waiting = this.#rows.all(stateCodes.available)
    for (const row of waiting) {
      const place = row.task === 'delta' ? 1 : 0
      if (!this.driver.ledger.rooms.has(place)) continue
      if (!this.#fits(row, running, 1)) continue
      const { rate } = this.#limits[row.task] ?? {}
      assert.ok(rate !== undefined, `${row.task} ${row.part} waits although there is room`)
      const opens = this.driver.ledger.nextDueAt() !== undefined || running.some(({ task }) => task === row.task)
      assert.ok(opens, `${row.task} ${row.part} waits for a rate, and nobody will look`)
    }
  }

  /** Whether so many more may run beside those of the same key. */
  #fits(row: Row, running: readonly Row[], more: number): boolean {
    const concurrency = this.#limits[row.task]?.concurrency
    if (concurrency === undefined) return true
    const key = ({ part }: Row) => (concurrency.by === undefined ? '' : keyOf(part, concurrency.by))
    const beside = running.filter((other) => other.task === row.task && key(other) === key(row))
    return beside.length + more <= concurrency.limit
  }

  #countsAreRight(): void {
    const { ledger } = this.driver
    const waiting = this.#rows.all(stateCodes.available)
    assert.equal(ledger.waitingJobs, waiting.length)
    for (const place of [0, 1]) {
      for (const group of ledger.regulator.groupsOf(place)) assert.ok(group.waiting > 0)
    }
    const limited = waiting.filter(({ task }) => this.#limits[task] !== undefined)
    const counted = [0, 1]
      .flatMap((place) => ledger.regulator.groupsOf(place))
      .reduce((sum, { waiting: n }) => sum + n, 0)
    assert.equal(counted, limited.length)
  }
}

function keyOf(part: string | null, name: string): unknown {
  return part === null ? undefined : (JSON.parse(part) as Record<string, unknown>)[name]
}
