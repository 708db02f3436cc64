import assert from 'node:assert/strict'
import fc from 'fast-check'
import { jobStates, stateCodes } from '../../lib/job-state.ts'
import type { Settle } from '../../runtime/journal/protocol.ts'
import type { Store } from '../../runtime/journal/store/store.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { JournalModel, type ModelEnd, type ModelJob } from './journal-model.ts'
import { KEEP_MS, START } from './journal-openers.ts'
import { StoreDriver, type DriverOptions } from './store-driver.ts'

const PLACES = [['alpha', 'beta'], ['gamma']]
const PARKED = ['parked']

interface StepJob {
  readonly task: string
  readonly priority?: number
  readonly key?: string
  readonly keyWindowMs?: number
  readonly delayMs?: number
  readonly expiresInMs?: number
}

/** What may happen to a journal. `pick` chooses among whatever there is then, so that every sequence can be played. */
export type Step =
  | { readonly type: 'enqueue'; readonly jobs: readonly StepJob[] }
  | { readonly type: 'claim'; readonly jobs: number; readonly place: number }
  | { readonly type: 'end'; readonly end: ModelEnd; readonly pick: number }
  | { readonly type: 'end again'; readonly end: ModelEnd; readonly pick: number }
  | { readonly type: 'cancel' | 'retry'; readonly pick: number }
  | { readonly type: 'reschedule'; readonly pick: number; readonly inMs?: number; readonly priority?: number }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'sweep' | 'drain' | 'crash' }
  | { readonly type: 'old owner'; readonly pick: number }

const pick = fc.nat(1_000)
const jobArbitrary = fc.record(
  {
    task: fc.constantFrom('alpha', 'alpha', 'beta', 'gamma', 'parked'),
    priority: fc.integer({ min: 0, max: 9 }),
    key: fc.constantFrom('k', 'l'),
    keyWindowMs: fc.integer({ min: 1, max: 4_000 }),
    delayMs: fc.integer({ min: -10, max: 4_000 }),
    expiresInMs: fc.integer({ min: -10, max: 6_000 }),
  },
  { requiredKeys: ['task'] },
)
const end = fc.constantFrom<ModelEnd[]>(
  'finish',
  'keep',
  'retry',
  'snooze',
  'release',
  'die',
  'discard',
  'cancel-running',
)

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('enqueue' as const),
      jobs: fc.array(jobArbitrary, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('claim' as const),
      jobs: fc.integer({ min: 1, max: 12 }),
      place: fc.nat(1),
    }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('end' as const), end, pick }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('end again' as const), end, pick }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('cancel' as const, 'retry' as const), pick }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        type: fc.constant('reschedule' as const),
        pick,
        inMs: fc.integer({ min: -10, max: 3_000 }),
        priority: fc.integer({ min: 0, max: 9 }),
      },
      { requiredKeys: ['type', 'pick'] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.integer({ min: -2_000, max: 5_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('sweep' as const, 'drain' as const, 'crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('old owner' as const), pick }) },
)

/** Plays steps on a journal and on the model, and compares the two after each. */
export class Play {
  readonly driver: StoreDriver
  readonly model = new JournalModel(PLACES, START, KEEP_MS)
  /** Every claim that there ever was. */
  readonly #claims: ClaimedJob[] = []
  #oldOwner: Store | undefined

  constructor(plant?: DriverOptions['plant']) {
    this.driver = new StoreDriver({ places: PLACES, parked: PARKED, ...(plant !== undefined && { plant }) })
  }

  run(step: Step): void {
    const held = new Set(this.driver.hand.values())
    this.#perform(step)
    this.#claims.push(...[...this.driver.hand.values()].filter((job) => !held.has(job)))
    this.#compareRows()
    this.#compareHand()
    this.#compareKeys()
    this.#compareCounts()
  }

  #perform(step: Step): void {
    switch (step.type) {
      case 'enqueue':
        return this.#enqueue(step.jobs)
      case 'claim':
        this.model.room[step.place] = (this.model.room[step.place] as number) + step.jobs
        return this.#passed(this.driver.claim(step.jobs, step.place))
      case 'end':
        return this.#end([...this.driver.hand.values()], step.pick, step.end)
      case 'end again':
        return this.#end(this.#claims, step.pick, step.end)
      case 'cancel': {
        const number = this.#numberOf(step.pick)
        return this.#answered(this.model.cancel(number), this.driver.cancel(number).type)
      }
      case 'retry': {
        const number = this.#numberOf(step.pick)
        return this.#answered(this.model.retry(number), this.driver.retry(number).type)
      }
      case 'reschedule':
        return this.#reschedule(step)
      case 'advance':
        this.model.now += step.ms
        return this.#passed(claimsOf(this.driver.advance(step.ms)))
      case 'sweep':
        this.model.sweep()
        this.driver.request({ type: 'sweep', limit: 1_000, maxResults: 1_000, maxEnded: 1_000, histories: [] })
        return this.#passed()
      case 'drain':
        for (const { number, claim } of this.driver.hand.values()) this.model.end(number, claim, 'release')
        this.model.noRoom()
        return this.#passed(claimsOf(this.driver.drain()))
      case 'crash':
        this.#oldOwner = this.driver.store
        this.model.crash()
        this.driver.reopen()
        return this.#passed()
      case 'old owner':
        return this.#writeAsOldOwner(step.pick)
    }
  }

  #enqueue(jobs: readonly StepJob[]): void {
    const { now } = this.driver
    const added = jobs.map(({ task, delayMs, expiresInMs, key, keyWindowMs, priority }) => {
      const dueAt = delayMs === undefined ? undefined : now + delayMs
      const expiresAt = expiresInMs === undefined ? undefined : now + expiresInMs
      const extra = {
        ...(priority !== undefined && { priority }),
        ...(dueAt !== undefined && { dueAt }),
        ...(expiresAt !== undefined && { expiresAt }),
        ...(key !== undefined && { key, ...(keyWindowMs !== undefined && { keyWindowMs }) }),
      }
      const enqueued = this.driver.add(task, extra)
      const { number } = enqueued
      const expected = this.model.enqueue({ number, task, priority: priority ?? 4, key, keyWindowMs, dueAt, expiresAt })
      return { enqueued, expected }
    })
    const reply = this.driver.commit()
    for (const { enqueued, expected } of added) {
      assert.equal(enqueued.as, typeof expected === 'string' ? expected : 'duplicate')
      if (typeof expected !== 'string') assert.equal(enqueued.first, expected.duplicateOf)
    }
    this.#passed(claimsOf(reply))
  }

  #end(claims: readonly ClaimedJob[], pick: number, end: ModelEnd): void {
    const job = claims[pick % Math.max(1, claims.length)]
    if (job === undefined) return
    const traceless = job.claim === 1 && job.extra?.key === undefined
    const reply =
      end === 'finish' && traceless
        ? this.driver.finish(job)
        : this.driver.settle(job, transitionOf(end), end === 'finish' ? { row: 'drop' } : {})
    const expected = this.model.end(job.number, job.claim, end)
    assert.deepEqual(reply.stale, expected === 'stale' ? [job.number] : [])
    this.#passed(claimsOf(reply))
  }

  #reschedule({ pick, inMs, priority }: Extract<Step, { type: 'reschedule' }>): void {
    const number = this.#numberOf(pick)
    const dueAt = inMs === undefined ? undefined : this.driver.now + inMs
    const expected = this.model.reschedule(number, dueAt, priority)
    const request = {
      ...(dueAt !== undefined && { dueAt }),
      ...(priority !== undefined && { rank: 9 - priority }),
    }
    this.#answered(expected, this.driver.request({ type: 'reschedule', number, ...request }).type)
  }

  /** A process that was stopped, and woke up after another one had taken over, must not change anything. */
  #writeAsOldOwner(pick: number): void {
    const claims = this.#claims
    const job = claims[pick % Math.max(1, claims.length)]
    if (this.#oldOwner === undefined || job === undefined) return
    const { now } = this.driver
    const nothing = { names: [], routes: undefined, room: [], jobs: undefined, settles: [], requests: [] }
    const late = { ...nothing, number: 1, now, nextNumber: 0, done: Float64Array.of(job.number, job.claim) }
    const changes =
      this.driver.row(job.number)?.claim === job.claim && this.model.jobs.get(job.number)?.state === 'running'
    if (!changes) return
    const old = this.#oldOwner
    assert.throws(() => old.commit([late]), { code: 'MILLRACE_JOURNAL_LOST' })
  }

  #answered(expected: string, got: string): void {
    assert.equal(got, expected)
    this.#passed()
  }

  #passed(claimed?: readonly number[]): void {
    const expected = this.model.pass()
    if (claimed !== undefined) assert.deepEqual(claimed, expected.claimed, 'what was claimed, in its order')
  }

  #numberOf(pick: number): number {
    const numbers = [...this.model.jobs.keys()]
    return numbers[pick % Math.max(1, numbers.length)] ?? 0
  }

  #compareRows(): void {
    const { driver, model } = this
    const rows = driver.db
      .prepare<[], StoredRow>(`
        SELECT j.id AS number, t.name AS task, 9 - j.rank % 16 AS priority, j.rank >= 32 AS retried, j.state, j.ord, j.claim, j.attempt AS attempts,
          j.key, j.due_at AS dueAt, j.expires_at AS expiresAt, j.keep_until AS keepUntil, j.cancel_at AS cancelAt
        FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task ORDER BY j.id`)
      .all()
    const modelled = [...model.jobs.values()].sort((a, b) => a.number - b.number)
    assert.deepEqual(rows.map(fromRow), modelled.map(fromModel))
    assert.deepEqual(
      orderOf(rows.filter(isAvailable).map(({ number, ord }) => ({ number, order: ord }))),
      orderOf(model.inState('available')),
    )
  }

  /** What the owner holds is what runs, each under its own claim: nothing is held twice and nothing is lost. */
  #compareHand(): void {
    const running = this.model.inState('running').map(({ number, claim }) => [number, claim] as const)
    const held = [...this.driver.hand.values()].map(({ number, claim }) => [number, claim] as const)
    assert.deepEqual(new Map(held), new Map(running))
  }

  #compareKeys(): void {
    const stored = this.driver.db
      .prepare<[], { name: string; job: number; until: number | null }>(
        `SELECT t.name || ' ' || k.key AS name, k.job, k.until FROM millrace_keys k JOIN millrace_tasks t ON t.id = k.task`,
      )
      .all()
      .map(({ name, job, until }) => [name, { job, until: until ?? undefined }] as const)
    assert.deepEqual(new Map(stored), this.model.keys)
  }

  /** What the ledger knows without reading has to be what is there. */
  #compareCounts(): void {
    const { ledger, tasks } = this.driver
    for (const task of tasks) {
      const index = ledger.tasks.names.indexOf(task)
      for (let priority = 0; priority < 10; priority++) {
        const waiting = this.model.inState('available').filter((job) => job.task === task && job.priority === priority)
        const again = waiting.filter(({ retried }) => retried)
        assert.equal(ledger.waiting.count(index, 9 - priority), waiting.length - again.length)
        assert.equal(ledger.retried.count(index, 9 - priority), again.length)
      }
    }
    const instants = this.model.inState('scheduled', 'available').flatMap(({ dueAt, expiresAt }) => [dueAt, expiresAt])
    const next = Math.min(...instants.filter((at) => at !== undefined))
    const told = ledger.nextDueAt() ?? Number.POSITIVE_INFINITY
    assert.ok(told <= next, 'the owner is told in time')
    assert.ok(told > this.driver.now, 'the owner is not told of what has passed')
  }
}

interface StoredRow {
  readonly number: number
  readonly task: string
  readonly priority: number
  readonly retried: number
  readonly state: number
  readonly ord: number
  readonly claim: number
  readonly attempts: number
  readonly key: string | null
  readonly dueAt: number | null
  readonly expiresAt: number | null
  readonly keepUntil: number | null
  readonly cancelAt: number | null
}

function isAvailable({ state }: StoredRow): boolean {
  return state === stateCodes.available
}

function orderOf(jobs: readonly { readonly number: number; readonly order: number }[]): number[] {
  return [...jobs].sort((a, b) => a.order - b.order).map(({ number }) => number)
}

function fromRow(row: StoredRow) {
  const { number, task, priority, claim, attempts, key, dueAt, expiresAt, keepUntil } = row
  const state = jobStates.find((name) => stateCodes[name] === row.state)
  const wish = row.cancelAt === null ? null : 'cancel'
  const retried = row.retried === 1
  return { number, task, priority, retried, state, claim, attempts, key, dueAt, expiresAt, keepUntil, wish }
}

function fromModel(job: ModelJob): ReturnType<typeof fromRow> {
  const { number, task, priority, retried, state, claim, attempts } = job
  return {
    number,
    task,
    priority,
    retried,
    state,
    claim,
    attempts,
    key: job.key ?? null,
    dueAt: job.dueAt ?? null,
    expiresAt: job.expiresAt ?? null,
    keepUntil: job.keepUntil ?? null,
    wish: job.wish ?? null,
  }
}

function transitionOf(end: ModelEnd): Settle['transition'] {
  return end === 'finish' || end === 'keep' ? 'succeed' : end
}

function claimsOf(reply: { readonly claims: readonly { readonly numbers: number[] }[] }): number[] {
  return reply.claims.flatMap(({ numbers }) => numbers)
}
