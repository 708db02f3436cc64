import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EventEmitter } from 'eventemitter3'
import { logEvents, logLine } from '../../../adapters/cli/worker/log-lines.ts'
import { sizesOf, workerPlaces } from '../../../adapters/cli/worker/places.ts'
import { defineTask, MillraceError, type Runtime } from '../../../runtime/index.ts'

describe('a line of the log of a worker', () => {
  it('is one line, whatever is in the event', () => {
    const error = new MillraceError('MILLRACE_BROKER_LOST', 'it is\naway')
    const event = { id: 'abc123-1', ranMs: 1.6, link: 'amqp://a:5672', reason: 'two words\n"quoted"', error, more: {} }
    assert.equal(
      logLine('job.dead', event, 0),
      '1970-01-01 00:00:00.000 job.dead id=abc123-1 ranMs=2 link=amqp://a:5672 ' +
        'reason="two words\\n\\"quoted\\"" error="MILLRACE_BROKER_LOST: it is\\naway"',
    )
    assert.equal(logLine('x', { error: { name: 'E', message: 'of a record' } }, 0).slice(24), 'x error="of a record"')
  })
})

describe('the log of a worker', () => {
  it('tells what begins as well as what ends', () => {
    const runtime = new EventEmitter()
    const lines: string[] = []
    logEvents(runtime as unknown as Runtime, (line) => lines.push(line.slice(24)))
    for (const name of ['task.suspended', 'task.resumed']) runtime.emit(name, { task: 'a' })
    runtime.emit('job.succeeded', { task: 'a' })
    assert.deepEqual(lines, ['task.suspended task=a', 'task.resumed task=a'])
  })
})

describe('the places of a worker', () => {
  const tasks = [
    defineTask<null>({ name: 'a' }),
    defineTask<null>({ name: 'b', tier: 'photos' }),
    defineTask<null>({ name: 'c', lane: 'network' }),
  ]

  it('are all that jobs of its tasks may be meant for', () => {
    assert.deepEqual(workerPlaces(tasks, { tiers: {}, lanes: {} }), {
      tiers: { fast: { threads: 1 }, default: {}, photos: { threads: 1 } },
      lanes: { network: { threads: 1 } },
    })
  })

  it('are as large as is said, and more where others are named to which senders may move a task', () => {
    const sizes = { tiers: sizesOf('tier', ['default=3', 'videos=2'], 512), lanes: sizesOf('lane', ['network=9'], 100) }
    assert.deepEqual(workerPlaces(tasks, sizes), {
      tiers: { fast: { threads: 1 }, default: { threads: 3 }, photos: { threads: 1 }, videos: { threads: 2 } },
      lanes: { network: { threads: 1, concurrency: 9 } },
    })
  })

  it('may not be named that look misspelt, or to which no job can come', () => {
    const settled = [...tasks.slice(1), defineTask<null>({ name: 'd', tier: 'default' })]
    for (const [of, option, size, message] of [
      [
        tasks,
        'tier',
        'photo=2',
        /names the tier "photo"; expected one of fast, default, photos; did you mean photos\?/,
      ],
      [tasks, 'tier', 'defualt=2', /did you mean default\?/],
      [settled, 'tier', 'videos=2', /names the tier "videos"; expected one of fast, default, photos; leave it out/],
      [tasks, 'lane', 'disk=2', /names the lane "disk"; expected one of network; leave it out/],
      [tasks, 'lane', 'networks=2', /did you mean network\?/],
      [
        tasks.slice(0, 1),
        'lane',
        'a=2',
        /names the lane "a"; expected one of those that a task names, which are none; /,
      ],
    ] as const) {
      const sizes = { tiers: {}, lanes: {}, [`${option}s`]: sizesOf(option, [size], 512) }
      assert.throws(() => workerPlaces(of, sizes), { code: 'MILLRACE_CLI', path: `--${option}`, message })
    }
  })
})
