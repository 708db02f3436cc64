import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Limiter, Limiters, type LimiterRule } from '../../lib/limiter.ts'
import { PartGroup, type Ticket } from '../../lib/part-group.ts'
import type { PartName } from '../../lib/part.ts'

export interface PlayRules {
  /** Of all jobs together. */
  readonly all?: LimiterRule
  /** Of each `c` of a part. */
  readonly c?: LimiterRule
  /** Of each `r` of a part. */
  readonly r?: LimiterRule
  /** Whether each `f` of a part shares with the others. */
  readonly fair?: 'by f'
}

export type PartStep =
  | { readonly type: 'add'; readonly c: number; readonly r: number; readonly f: number; readonly rank: number }
  | { readonly type: 'pick'; readonly which: 'foremost' | 'oldest' }
  | { readonly type: 'start' | 'end' | 'give back' | 'remove'; readonly pick: number }
  | { readonly type: 'advance'; readonly ms: number }

const pick = fc.nat(1_000)
const few = fc.nat(2)

export const partStep: fc.Arbitrary<PartStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('add' as const), c: few, r: few, f: few, rank: fc.nat(1) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('pick' as const),
      which: fc.constantFrom('foremost' as const, 'foremost' as const, 'oldest' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom('start' as const, 'end' as const, 'give back' as const, 'remove' as const),
      pick,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.nat(300) }) },
)

export const playRules: fc.Arbitrary<PlayRules> = fc.record(
  {
    all: ruleOf(),
    c: fc.record({ concurrency: fc.integer({ min: 1, max: 2 }) }),
    r: fc.record({
      rate: fc.record({ limit: fc.integer({ min: 1, max: 5 }), perMs: fc.constant(500), burst: fc.nat(1) }),
    }),
    fair: fc.constant('by f' as const),
  },
  { requiredKeys: [] },
)

function ruleOf(): fc.Arbitrary<LimiterRule> {
  return fc.record(
    {
      concurrency: fc.integer({ min: 1, max: 4 }),
      rate: fc.record({ limit: fc.integer({ min: 1, max: 6 }), perMs: fc.constant(400), burst: fc.nat(2) }),
    },
    { requiredKeys: [] },
  )
}

interface Row extends PartName {
  readonly rank: number
  readonly ord: number
}

interface Running {
  readonly row: Row
  readonly ticket: Ticket
  readonly pickedAt: number
  startedAt: number | undefined
}

/** A group with its rows beside it, and what is to be true of both after every step. */
export class PartPlay {
  readonly limiters = new Limiters()
  readonly group: PartGroup
  readonly rows: Row[] = []
  readonly running: Running[] = []
  readonly starts: { readonly at: number; readonly row: Row }[] = []
  readonly #rules: PlayRules
  readonly #gates: readonly Limiter[]
  now = 1_000_000
  #ord = 0

  constructor(rules: PlayRules) {
    this.#rules = rules
    this.#gates = rules.all === undefined ? [] : [this.limiters.get({ name: 'all' }, rules.all, this.now)]
    this.group = new PartGroup(
      {
        gates: this.#gates,
        limitersOf: (name) => this.limitersOf(name),
        ...(rules.fair !== undefined && { shareOf: ({ part }) => String(keysOf(part)[2]) }),
        next: ({ part }, rank, after) =>
          Math.min(...this.rows.filter((row) => row.part === part && row.rank === rank && row.ord > after).map(ordOf)),
      },
      this.limiters,
    )
  }

  limitersOf({ part }: PartName): Limiter[] {
    const [c, r] = keysOf(part)
    const found: Limiter[] = []
    if (this.#rules.c !== undefined) found.push(this.limiters.get({ name: `c ${c}` }, this.#rules.c, this.now))
    if (this.#rules.r !== undefined) found.push(this.limiters.get({ name: `r ${r}` }, this.#rules.r, this.now))
    return found
  }

  run(step: PartStep): void {
    this.limiters.pass(this.now)
    if (step.type === 'add') this.#add(step)
    else if (step.type === 'pick') this.#pick(step.which)
    else if (step.type === 'advance') this.now += step.ms
    else if (step.type === 'remove') this.#remove(step.pick)
    else this.#progress(step.type, step.pick)
    this.#check()
  }

  /** Lets everything start and end, until nothing is left. */
  finish(): void {
    for (let round = 0; this.rows.length + this.running.length > 0; round++) {
      assert.ok(round < 10_000, 'something waits for ever')
      this.run({ type: 'pick', which: 'foremost' })
      for (const type of ['start', 'end'] as const) this.run({ type, pick: 0 })
      this.run({ type: 'advance', ms: 20 })
    }
  }

  /** Rows that break no limit, were they claimed now. */
  eligible(): Row[] {
    if (!this.#gates.every((gate) => gate.isOpen(this.now))) return []
    const running = (letter: number, key: number) =>
      this.running.filter(({ row }) => keysOf(row.part)[letter] === key).length
    return this.rows.filter((row) => {
      const [c, r] = keysOf(row.part) as [number, number]
      if (running(0, c) >= (this.#rules.c?.concurrency ?? Number.POSITIVE_INFINITY)) return false
      return (
        this.#rules.r === undefined || this.limiters.get({ name: `r ${r}` }, this.#rules.r, this.now).isOpen(this.now)
      )
    })
  }

  #add({ c, r, f, rank }: Extract<PartStep, { type: 'add' }>): void {
    const row: Row = { task: 0, part: JSON.stringify([c, r, f]), rank, ord: ++this.#ord }
    this.rows.push(row)
    this.group.add(row, rank, row.ord)
  }

  #pick(which: 'foremost' | 'oldest'): void {
    const eligible = this.eligible()
    const first = eligible.sort(which === 'oldest' ? byOrd : byRank)[0]
    const position = this.group.position(which, this.now)
    assert.equal(position === undefined, first === undefined, 'what could be picked is, and nothing else')
    if (position === undefined || first === undefined) return
    if (this.#rules.fair === undefined || which === 'oldest') assert.equal(position.ord, first.ord)
    else assert.equal(position.rank, first.rank)
    const picked = this.group.pick(which, this.now)
    assert.ok(picked !== undefined)
    const at = this.rows.findIndex((row) => row.ord === picked.ord)
    const [row] = this.rows.splice(at, 1) as [Row]
    assert.equal(row.part, picked.part)
    if (this.#rules.fair === undefined) assert.equal(row, first)
    else if (which === 'foremost') assert.equal(row.rank, first.rank)
    const before = this.rows.filter(({ part, rank, ord }) => part === row.part && rank === row.rank && ord < row.ord)
    assert.deepEqual(before, [], 'a part is first in, first out')
    this.running.push({ row, ticket: picked.ticket, pickedAt: this.now, startedAt: undefined })
  }

  #progress(type: 'start' | 'end' | 'give back', pick: number): void {
    const at = this.running.length === 0 ? -1 : pick % this.running.length
    const job = this.running[at]
    if (job === undefined) return
    if (type !== 'give back' && job.startedAt === undefined) {
      job.startedAt = this.now
      this.starts.push({ at: this.now, row: job.row })
      this.group.started(job.ticket, this.now, this.now)
    }
    if (type === 'start') return
    this.running.splice(at, 1)
    this.group.ended(job.ticket, job.startedAt === undefined ? undefined : this.now - job.startedAt, this.now)
  }

  #remove(pick: number): void {
    if (this.rows.length === 0) return
    const [row] = this.rows.splice(pick % this.rows.length, 1) as [Row]
    this.group.remove(row, row.rank, row.ord, this.now)
  }

  #check(): void {
    assert.equal(this.group.waiting, this.rows.length)
    assert.equal(this.group.running, this.running.length)
    const open = [...this.rows, ...this.running.map(({ row }) => row)]
    assert.equal(this.group.parts, new Set(open.map(({ part }) => part)).size)
    const { all, c, r } = this.#rules
    this.#checkRule(all, () => true)
    for (const key of [0, 1, 2]) {
      this.#checkRule(c, ({ part }) => keysOf(part)[0] === key)
      this.#checkRule(r, ({ part }) => keysOf(part)[1] === key)
    }
  }

  #checkRule(rule: LimiterRule | undefined, ofKey: (row: Row) => boolean): void {
    if (rule?.concurrency !== undefined) {
      assert.ok(this.running.filter(({ row }) => ofKey(row)).length <= rule.concurrency, 'too many at once')
    }
    if (rule?.rate === undefined) return
    const { limit, perMs, burst } = rule.rate
    const starts = this.starts.filter(({ at, row }) => ofKey(row) && at > this.now - perMs)
    assert.ok(starts.length <= limit + burst, 'too many starts')
  }
}

function keysOf(part: string | null): readonly number[] {
  return JSON.parse(part as string) as number[]
}

function ordOf({ ord }: Row): number {
  return ord
}

function byOrd(a: Row, b: Row): number {
  return a.ord - b.ord
}

function byRank(a: Row, b: Row): number {
  return a.rank - b.rank || a.ord - b.ord
}
