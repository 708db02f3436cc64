import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { type Child, spawn } from '../../lib/actor.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import { type ChildSpec, type Restart, type Strategy, supervise, type Supervisor } from '../../lib/supervision.ts'
import { becomes, boom, stop, strategies } from '../helpers/family.ts'

// Random trees of one level, in which children crash, end and fail to start, against a model without time or promises.

interface Plan {
  readonly restart: Restart
  /** What becomes of its starts, one after another; later ones succeed. */
  readonly failures: readonly boolean[]
}

type Step =
  | { readonly type: 'crash' | 'end'; readonly children: readonly number[] }
  | { readonly type: 'advance'; readonly ms: number }

const WITHIN_MS = 100

class Model {
  readonly #plans: readonly Plan[]
  readonly #strategy: Strategy
  readonly #restarts: number
  readonly starts: number[]
  readonly alive = new Set<number>()
  readonly #wanted: Set<number>
  #times: number[] = []
  now = 0
  status: 'up' | 'gave up' = 'up'

  constructor(plans: readonly Plan[], strategy: Strategy, restarts: number) {
    this.#plans = plans
    this.#strategy = strategy
    this.#restarts = restarts
    this.starts = plans.map(() => 0)
    this.#wanted = new Set(plans.keys())
    this.#startMissing()
  }

  /** All of them at the same moment; the end of one that the end of another has brought to a new life is no news. */
  end(children: readonly number[], how: 'crash' | 'end'): void {
    const ended = [...new Set(children)].filter((child) => this.alive.has(child))
    const lives = ended.map((child) => this.starts[child])
    for (const [at, child] of ended.entries()) {
      if (this.status !== 'up' || this.starts[child] !== lives[at] || !this.alive.has(child)) continue
      this.#mourn(child, how)
      this.#startMissing()
    }
  }

  #startMissing(): void {
    for (let child = this.#missing(); child >= 0 && this.status === 'up'; child = this.#missing()) {
      const fails = this.#plans[child]?.failures[this.starts[child] as number]
      this.starts[child] = (this.starts[child] as number) + 1
      if (fails === true) this.#mourn(child, 'crash')
      else this.alive.add(child)
    }
  }

  #missing(): number {
    return this.#plans.findIndex((_, child) => this.#wanted.has(child) && !this.alive.has(child))
  }

  #mourn(child: number, how: 'crash' | 'end'): void {
    const restart = this.#plans[child]?.restart
    this.alive.delete(child)
    if (restart === 'temporary' || (restart === 'transient' && how === 'end')) {
      this.#wanted.delete(child)
      return
    }
    this.#times = this.#times.filter((at) => at > this.now - WITHIN_MS)
    this.#times.push(this.now)
    if (this.#times.length > this.#restarts) {
      this.status = 'gave up'
      this.alive.clear()
      return
    }
    const isAffected = (each: number) =>
      each === child || this.#strategy === 'one-for-all' || (this.#strategy === 'rest-for-one' && each > child)
    for (const [each, plan] of this.#plans.entries()) {
      if (!isAffected(each)) continue
      if (plan.restart !== 'temporary') this.#wanted.add(each)
      else if (this.alive.has(each)) this.#wanted.delete(each)
      this.alive.delete(each)
    }
  }
}

/** The same with real actors: counts their starts, and that no two start at once. */
class Tree {
  readonly starts: number[]
  readonly alive: (Child<'crash'> | undefined)[]
  readonly clock = new ManualClock()
  readonly supervisor: Supervisor
  #starting = 0

  constructor(plans: readonly Plan[], strategy: Strategy, restarts: number) {
    this.starts = plans.map(() => 0)
    this.alive = plans.map(() => undefined)
    const specs = plans.map((plan, child): ChildSpec => {
      return { id: `${child}`, restart: plan.restart, start: () => this.#start(plan, child) }
    })
    this.supervisor = supervise(specs, { id: 's', strategy, restarts, withinMs: WITHIN_MS, clock: this.clock })
  }

  #start({ failures }: Plan, child: number): Child<'crash'> {
    const life = this.starts[child] as number
    this.starts[child] = life + 1
    assert.equal(this.#starting++, 0, 'one after another')
    if (failures[life] === true && life % 2 === 0) {
      this.#starting--
      throw boom
    }
    const actor: Child<'crash'> = spawn<'crash'>(
      {
        start: async () => {
          if (life % 3 > 0) await turn()
          this.#starting--
          if (failures[life] === true) throw boom
          this.alive[child] = actor
        },
        receive: () => assert.fail(boom),
        stop: () => {
          assert.equal(this.alive[child], actor)
          this.alive[child] = undefined
        },
      },
      { id: `${child}` },
    )
    return actor
  }
}

const plan: fc.Arbitrary<Plan> = fc.record({
  restart: fc.constantFrom('permanent', 'permanent', 'transient', 'temporary'),
  failures: fc.array(fc.boolean(), { maxLength: 4 }),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom('crash', 'end'),
      children: fc.array(fc.nat(3), { minLength: 1, maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.nat(WITHIN_MS + 50) }) },
)

describe('supervision, in any order of ends', () => {
  it('does what a model without time and promises does', async () => {
    const runs = { 'gave up': 0, up: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(plan, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...strategies),
        fc.nat(6),
        fc.array(step, { maxLength: 8 }),
        async (plans, strategy, restarts, steps) => {
          const model = new Model(plans, strategy, restarts)
          const tree = new Tree(plans, strategy, restarts)
          await tree.supervisor.started
          for (const each of steps) {
            if (each.type === 'advance') {
              model.now += each.ms
              tree.clock.advance(each.ms)
              continue
            }
            const ended = [...new Set(each.children)].flatMap((child) => tree.alive[child] ?? [])
            for (const child of ended) {
              if (each.type === 'crash') child.tell('crash')
              else child.stop()
            }
            model.end(each.children, each.type)
            await becomes(() => tree.starts, model.starts)
          }
          await becomes(() => [...tree.supervisor.children().keys()].sort(), [...model.alive].map(String).sort())
          assert.deepEqual(tree.starts, model.starts)
          const alive = [...tree.alive.keys()].filter((child) => tree.alive[child] !== undefined)
          assert.deepEqual(new Set(alive), model.alive)
          runs[model.status]++
          const reason = await stop(tree.supervisor)
          assert.equal(reason.type, model.status === 'up' ? 'stopped' : 'crashed')
          assert.ok(tree.alive.every((child) => child === undefined))
        },
      ),
      { numRuns: 200 },
    )
    assert.ok(runs.up > 20 && runs['gave up'] > 20, JSON.stringify(runs))
  })
})
