// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { built, mutant, type Mutation } from '../helpers/mutant.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { Brokers } from './brokers.ts'
import { faultsOf, summaryOf } from './report.ts'
import { type Report, Siege, type SiegePlan } from './siege.ts'

// A long one: npm run torture -- rabbitmq

const LIMIT = { timeout: 240_000 }

describe('nodes and a RabbitMQ that are killed', () => {
  let brokers: Brokers
  before(async () => {
    brokers = await Brokers.start(1)
  })
  after(() => brokers[Symbol.asyncDispose]())

  const besiege = (plan: Partial<SiegePlan>): Promise<Report> =>
    new Siege({
      built,
      folder: scratchFolder(),
      brokers,
      queues: 'quorum',
      seed: 1,
      publishers: 2,
      each: 10,
      workers: 3,
      workMs: 300,
      durationMs: 5_000,
      atLeast: { broker: 2, node: 6, recovered: 1 },
      betweenBrokerKills: [500, 2_000],
      victims: ['broker', 'publisher', 'worker'],
      quietMs: 60_000,
      ...plan,
    }).run(new AbortController().signal)

  it('lose nothing that was acknowledged, and bring every outcome home', LIMIT, async (test) => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const report = await besiege({ seed })
    test.diagnostic(`seed ${seed}\n${summaryOf(report)}`)
    assert.deepEqual(faultsOf(report), [], report.evidence.join('\n'))
    const { kills, acknowledged, recovered } = report
    assert.ok(kills.broker >= 2 && kills.publisher + kills.worker >= 6, JSON.stringify(kills))
    assert.ok(acknowledged > 300, `only ${acknowledged} jobs were acknowledged`)
    assert.ok(recovered > 0, 'no kill has hit a running job')
  })

  const controls: readonly (Pick<SiegePlan, 'victims'> & {
    readonly what: string
    readonly mutation: Mutation
  })[] = [
    {
      what: 'deliveries are acknowledged before their outcome is committed',
      mutation: {
        file: 'runtime/intake/intake.js',
        from: 'return answer.instead === undefined ? undefined',
        to: 'return answer.instead === undefined ? { delivery, verdict: DONE }',
      },
      victims: ['worker'],
    },
    {
      what: 'a message counts as held before it is confirmed, on a slow way to the broker',
      mutation: {
        file: 'runtime/outbox/outbox.js',
        from: 'this.#options.publish(part.map(({ message }) => message))',
        to: `void setTimeout(() => this.#options.publish(part.map(({ message }) => message)), 300);
          Promise.resolve(part.map(() => ({ type: 'held' })))`,
      },
      victims: ['publisher'],
    },
  ]
  describe('without a protection', { concurrency: 2 }, () => {
    for (const { what, mutation, victims } of controls) {
      it(`are found to lose jobs when ${what}`, LIMIT, async (test) => {
        using copy = mutant(mutation)
        const few = { publishers: 2, each: 4, workers: 2, workMs: 500, durationMs: 1_000, quietMs: 5_000 }
        const atLeast = { broker: 0, node: 2, recovered: 0 }
        const report = await besiege({ built: copy.folder, victims, atLeast, ...few })
        test.diagnostic(summaryOf(report))
        assert.ok(report.lost > 0 && report.evidence.length > 0, summaryOf(report))
      })
    }
  })
})
