// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { rabbitmq } from '../../../adapters/rabbitmq/index.ts'
import type { QueueSpec } from '../../../lib/broker.ts'
import { controlQueues } from '../../../lib/control-message.ts'
import { createRuntime, type Runtime } from '../../../runtime/index.ts'
import { linger, square } from '../../fixtures/cli-tasks.ts'
import { cli, cliTasks, scratch, startCli, type Running } from '../../helpers/cli.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { prefixesForSuite } from '../../helpers/rabbit-rig.ts'
import { anyRabbit, forSuite } from '../../helpers/rabbitmq.ts'
import { until } from '../../helpers/until.ts'

const PATIENCE = { timeoutMs: 30_000 }

/** Resolves to the first line of a worker's log that begins so, behind its time. */
function logged({ child, ended }: Running, start: string): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (line.slice(24).startsWith(start)) resolve(line)
    })
    void ended.then(({ err }) => reject(new Error(`it ended without ${start}: ${err}`)))
  })
}

/** What such nodes have made. */
function queuesOf(nodes: readonly string[]): readonly QueueSpec[] {
  const work = ['fast', 'default', 'waiting'].map((name): QueueSpec => ({ name, kind: 'work' }))
  const replies = nodes.map((node): QueueSpec => ({ name: `node.${node}`, kind: 'reply', expiresMs: 1, most: 1 }))
  return [...work, ...replies, ...nodes.flatMap(controlQueues)]
}

describe('millrace worker', () => {
  const prefixOf = prefixesForSuite()
  const server = forSuite(anyRabbit)

  async function setUp(test: TestContext) {
    let nodes: readonly string[] = []
    const prefix = prefixOf(server().url, () => queuesOf(nodes))
    const folder = scratch(test)
    const publisher = await createRuntime({
      journal: { file: join(folder, 'publisher.db') },
      broker: rabbitmq({ urls: server().url, prefix }),
      role: 'publisher',
      lanes: { waiting: {} },
    })
    const worker = (name: string): Running => {
      const files = ['--tasks', cliTasks, '--journal', join(folder, `${name}.db`)]
      const running = startCli(['worker', ...files, '--prefix', prefix, '--tier', 'default=1', '--lane', 'waiting=7'], {
        env: { MILLRACE_BROKER: server().url },
      })
      test.after(async () => {
        running.child.kill('SIGKILL')
        await running.ended
      })
      return running
    }
    test.after(async () => {
      nodes = publisher.nodes().map(({ node }) => node)
      await publisher.stop({ graceMs: 0 })
    })
    return { publisher, worker }
  }

  async function isRunning(publisher: Runtime): Promise<void> {
    const running = async () => {
      const answers = await publisher.ask({ verb: 'places' }, { timeoutMs: 2_000 })
      return answers
        .flatMap((answer) => (answer.type === 'answered' ? answer.answer : []))
        .some((place) => place.running > 0)
    }
    await until('a job to run', running, (is) => is)
  }

  it('runs jobs of others, tells that it is there, and drains on a signal', async (test) => {
    const { publisher, worker } = await setUp(test)
    const seen = nextEvent(publisher, 'node.status', PATIENCE)
    const running = worker('one')
    const started = await logged(running, 'started')
    assert.match(started, / node=[0-9a-f]{16} places=fast,default,waiting tasks=\S*number\.square/)
    assert.ok(started.includes((await seen).node))
    const job = await publisher.enqueue(square, { n: 7 })
    assert.deepEqual(await job.result(PATIENCE), { square: 49 })
    running.child.kill('SIGTERM')
    const { code, err, out } = await running.ended
    assert.equal(code, 0, err)
    assert.match(err, /runtime\.stopping\n(.*\n)*.* runtime\.stopped/)
    assert.equal(out, '')
  })

  it('gives back what does not end within the grace, to another one', async (test) => {
    const { publisher, worker } = await setUp(test)
    const first = worker('one')
    await logged(first, 'started')
    const job = await publisher.enqueue(linger, { n: 1 })
    await isRunning(publisher)
    const second = worker('two')
    await logged(second, 'started')
    await publisher.ask({ verb: 'drain', graceMs: 100 }, { nodes: [await nodeOf(publisher, first)] })
    assert.equal((await first.ended).code, 0)
    await isRunning(publisher)
    assert.equal(await job.cancel(), 'requested')
    await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  it('does not run what was cancelled while all workers were dead', async (test) => {
    const { publisher, worker } = await setUp(test)
    const first = worker('one')
    await logged(first, 'started')
    await nodeOf(publisher, first)
    first.child.kill('SIGKILL')
    await first.ended
    const [cancelled, other] = [await publisher.enqueue(square, { n: 1 }), await publisher.enqueue(square, { n: 2 })]
    await until(
      'both to be away',
      async () => (await publisher.jobs({ state: 'away' })).jobs.length,
      (away) => away === 2,
    )
    assert.equal(await cancelled.cancel(), 'requested')
    await logged(worker('one'), 'started')
    assert.deepEqual(await other.result(PATIENCE), { square: 4 })
    await assert.rejects(cancelled.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  async function nodeOf(publisher: Runtime, { child }: Running): Promise<string> {
    const known = () => publisher.nodes().find(({ facts }) => facts?.pid === child.pid)?.node
    return (await until('it to be known', known, (node) => node !== undefined)) as string
  }

  it('refuses what it cannot use, before it takes anything', async (test) => {
    const journal = ['--journal', join(scratch(test), 'jobs.db')]
    const broker = ['--broker', server().url]
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [[], 2, /--tasks FILE/],
      [['--tasks', cliTasks], 2, /--broker URL or MILLRACE_BROKER/],
      [['--tasks', cliTasks, '--broker', 'http://x'], 2, /MILLRACE_INVALID_OPTION/],
      [['--tasks', '/nowhere.js', ...broker], 2, /MILLRACE_TASKS_MODULE/],
      [['--tasks', cliTasks, ...broker, '--tier', 'default'], 2, /--tier photos=4/],
      [['--tasks', cliTasks, ...broker, '--lane', 'a=x'], 2, /--lane/],
      [
        ['--tasks', cliTasks, ...broker, '--tier', 'Default=1'],
        2,
        /expected one of fast, default; did you mean default\?/,
      ],
      [
        ['--tasks', cliTasks, ...broker, '--lane', 'wating=9'],
        2,
        /the lane "wating"; .* did you mean waiting\? \(--lane\)/,
      ],
      [['--tasks', cliTasks, ...broker, '--lane', 'default=9'], 2, /the lane "default"; expected one of waiting/],
    ]
    for (const [args, code, message] of cases) {
      const ended = await cli(['worker', ...args, ...journal])
      assert.equal(ended.code, code, ended.err)
      assert.match(ended.err, message)
    }
  })
})
