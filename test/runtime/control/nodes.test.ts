import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TakenAnswer } from '../../../runtime/journal/protocol.ts'
import { TAKEN_NUMBERS_FROM } from '../../../runtime/journal/schema/schema.ts'
import type { NodeRequest } from '../../../runtime/index.ts'
import { laneEcho, traced } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { type RuntimeNode, RuntimeNodes } from '../../helpers/runtime-nodes.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

/** Starting a runtime takes long where others run as well. */
const PATIENCE = { timeoutMs: 30_000 }

describe('nodes', () => {
  it('are told apart by what each runs', async (t) => {
    const nodes = new RuntimeNodes(t)
    const one = await nodes.start('one')
    const seen = nextEvent(one.runtime, 'node.status', { where: ({ node }) => node === 'two', ...PATIENCE })
    await nodes.start('two')
    assert.deepEqual(await seen, { node: 'two', status: 'answers' })
    const [first, second] = one.runtime.nodes()
    assert.deepEqual([first?.node, second?.node, second?.status], ['one', 'two', 'answers'])
    assert.equal(second?.facts?.pid, process.pid)
    assert.deepEqual(second?.facts?.places, ['default', 'small', 'network'])
    assert.ok(second?.facts?.tasks.includes('lane.echo'))
    assert.match(second?.facts?.version ?? '', /^\d+\.\d+\.\d+/)
    assert.ok(Math.abs((second?.sinceAt ?? 0) - Date.now()) < 60_000)
  })

  it('cannot be asked without a broker that has control', async (t) => {
    const runtime = await startRuntime(t)
    assert.throws(() => runtime.nodes(), { code: 'MILLRACE_NO_CONTROL' })
    await assert.rejects(runtime.ask({ verb: 'ping' }), { code: 'MILLRACE_NO_CONTROL' })
  })
})

describe('a verb', () => {
  it('shows the places of each node', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one] = await nodes.pair(PATIENCE)
    const answers = await one.runtime.ask({ verb: 'places' })
    assert.deepEqual(
      answers.map((answer) => (answer.type === 'answered' ? answer.answer.map(({ place }) => place) : answer)),
      [
        ['default', 'small', 'network'],
        ['default', 'small', 'network'],
      ],
    )
  })

  it('pauses and resumes a task on another node', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one, two] = await nodes.pair(PATIENCE)
    const paused = nextEvent(two.runtime, 'task.paused', PATIENCE)
    const answers = await one.runtime.ask({ verb: 'pause', task: laneEcho }, { nodes: ['two'] })
    assert.deepEqual(answers, [{ node: 'two', type: 'answered', answer: null }])
    assert.deepEqual(await paused, { task: 'lane.echo' })
    const job = await two.runtime.enqueue(laneEcho, { value: 1 })
    await assert.rejects(job.result({ timeoutMs: 50 }), { code: 'MILLRACE_RESULT_TIMEOUT' })
    await one.runtime.ask({ verb: 'resume', task: 'lane.echo' }, { nodes: ['two'] })
    assert.deepEqual(await job.result(PATIENCE), { value: 1 })
  })

  it('resizes a place of another node, and says why it cannot', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one, two] = await nodes.pair(PATIENCE)
    await one.runtime.ask({ verb: 'resize', place: 'network', concurrency: 3 }, { nodes: ['two'] })
    assert.equal(two.wires.places[2]?.parallel, 3)
    const [refused] = await one.runtime.ask({ verb: 'resize', place: 'nowhere', threads: 2 }, { nodes: ['two'] })
    assert.ok(refused?.type === 'failed')
    assert.equal(refused.error.code, 'MILLRACE_UNKNOWN_PLACE')
  })

  it('drains another node, which answers before it stops', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one, two] = await nodes.pair(PATIENCE)
    const stopped = nextEvent(two.runtime, 'runtime.stopped', PATIENCE)
    assert.deepEqual(await one.runtime.ask({ verb: 'drain', graceMs: 0 }, { nodes: ['two'] }), [
      { node: 'two', type: 'answered', answer: null },
    ])
    await stopped
  })

  it('says with which grace another node shall drain, or leaves that to it', async (t) => {
    for (const graceMs of [5, undefined]) {
      const [one, two] = await new RuntimeNodes(t).pair(PATIENCE)
      const drain = nextEvent(two.runtime, 'node.drain', PATIENCE)
      const stopped = nextEvent(two.runtime, 'runtime.stopped', PATIENCE)
      await one.runtime.ask({ verb: 'drain', ...(graceMs !== undefined && { graceMs }) }, { nodes: ['two'] })
      assert.deepEqual(await drain, { graceMs })
      await stopped
    }
  })

  it('is refused before it is sent where no node could carry it out', async (t) => {
    const one = await new RuntimeNodes(t).start('one')
    const requests: readonly (readonly [unknown, string])[] = [
      [undefined, 'verb'],
      [{ verb: 'toString' }, 'verb'],
      [{ verb: 'ping', x: 1 }, 'x'],
      [{ verb: 'pause' }, 'task'],
      [{ verb: 'pause', task: 'a', place: 'b' }, 'task'],
      [{ verb: 'pause', place: 5 }, 'place'],
      [{ verb: 'cancel', ids: [] }, 'ids'],
      [{ verb: 'cancel', ids: ['nonsense'] }, 'ids[0]'],
      [{ verb: 'resize', place: 'a', threads: 0 }, 'threads'],
      [{ verb: 'resize', threads: 1 }, 'place'],
      [{ verb: 'drain', graceMs: Number.POSITIVE_INFINITY }, 'graceMs'],
    ]
    for (const [request, path] of requests) {
      await assert.rejects(one.runtime.ask(request as NodeRequest), { path }, JSON.stringify(request))
    }
    await assert.rejects(one.runtime.ask({ verb: 'ping' }, { timeoutMs: 0 }), { path: 'timeoutMs' })
    await assert.rejects(one.runtime.ask({ verb: 'ping' }, { nodes: 'some' as never }), { path: 'nodes' })
  })
})

describe('a cancel', () => {
  it('ends a job of another node that runs there', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one, two] = await nodes.pair(PATIENCE)
    const job = await two.runtime.enqueue(traced, { ledger: join(scratchFolder(), 'ledger'), ms: 60_000 })
    const cancelled = nextEvent(two.runtime, 'job.cancelled', PATIENCE)
    const answers = await one.runtime.ask({ verb: 'cancel', ids: [job.id] })
    assert.deepEqual(
      answers.map((answer) => answer.type === 'answered' && answer.answer.cancelled + answer.answer.requested),
      [0, 1],
    )
    assert.equal((await cancelled).id, job.id)
  })

  it('is written down by every node, for jobs that come later', async (t) => {
    const nodes = new RuntimeNodes(t)
    const [one, two] = await nodes.pair(PATIENCE)
    const id = 'zzzzzz-1'
    await one.runtime.ask({ verb: 'cancel', ids: [id] })
    for (const { wires } of [one, two]) {
      assert.equal((await taken(wires, id)).type, 'unwanted')
    }
  })
})

async function taken({ journal, catalog }: RuntimeNode['wires'], id: string): Promise<TakenAnswer> {
  await journal.learn(['echo'], 'some')
  const task = journal.taskIndex('echo') as number
  assert.ok(catalog.placeOf(task) >= 0)
  const job = { number: TAKEN_NUMBERS_FROM, task, input: '1', id, claim: 1, attempt: 0, createdAt: 0 }
  return await new Promise((answered) => journal.take({ job, answered }))
}
