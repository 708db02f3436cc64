// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rabbitmq, type RabbitmqOptions } from '../../../adapters/rabbitmq/index.ts'
import { controlQueues } from '../../../lib/control-message.ts'
import { Database } from '../../../runtime/index.ts'
import { cli } from '../../helpers/cli.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { startNode } from '../../helpers/node-process.ts'
import { prefixesForSuite } from '../../helpers/rabbit-rig.ts'
import { anyRabbit, forSuite, RabbitServer, withChannel } from '../../helpers/rabbitmq.ts'
import { RuntimeNodes } from '../../helpers/runtime-nodes.ts'

const fixture = new URL('../../fixtures/control-node.js', import.meta.url)
const QUICK_MS = 20_000

describe('nodes over RabbitMQ', () => {
  const prefixOf = prefixesForSuite()
  const server = forSuite(anyRabbit)

  function own(): RabbitmqOptions & { readonly prefix: string } {
    const { url } = server()
    return { urls: url, prefix: prefixOf(url, () => ['one', 'two'].flatMap(controlQueues)) }
  }

  it('ask each other, and tell one that hangs from one that is dead', async (test) => {
    const options = own()
    const one = await new RuntimeNodes(test, () => rabbitmq(options)).start('one')
    const status = (of: string) =>
      nextEvent(one.runtime, 'node.status', { where: (event) => event.status === of, timeoutMs: QUICK_MS })
    const answers = status('answers')
    const two = startNode(test, fixture, 'two', JSON.stringify(options))
    await two.line('ready')
    assert.deepEqual(await answers, { node: 'two', status: 'answers' })
    assert.deepEqual(await one.runtime.ask({ verb: 'ping' }), [
      { node: 'one', type: 'answered', answer: null },
      { node: 'two', type: 'answered', answer: null },
    ])

    const late = status('late')
    const gone = status('gone')
    two.child.kill('SIGSTOP')
    const [, stopped] = await one.runtime.ask({ verb: 'ping' }, { timeoutMs: 1_000 })
    assert.deepEqual(stopped, { node: 'two', type: 'late' })
    await late
    await gone
    const back = status('answers')
    two.child.kill('SIGCONT')
    await back

    two.child.kill('SIGKILL')
    await status('gone')
    const [, killed] = await one.runtime.ask({ verb: 'ping' }, { timeoutMs: QUICK_MS })
    assert.deepEqual(killed, { node: 'two', type: 'gone' })
  })

  it('keep a cancel for one that is down until it is back, and ready no sooner', async (test) => {
    const options = own()
    const nodes = new RuntimeNodes(test, () => rabbitmq(options))
    const [one, two] = await nodes.pair({ timeoutMs: QUICK_MS })
    await two.stop()
    const answers = await one.runtime.ask({ verb: 'cancel', ids: ['zzzzzz-1'] })
    assert.equal(answers[1]?.type, 'gone')
    const again = await nodes.start('two', { journal: { file: two.file } })
    await again.wires.cluster?.ready
    assert.deepEqual(unwanted(again.file), ['zzzzzz-1'])
  })

  it('are listed from outside by millrace nodes', async (test) => {
    const options = own()
    const nodes = new RuntimeNodes(test, () => rabbitmq(options))
    await nodes.start('one')
    await nodes.start('two')
    const args = ['nodes', '--broker', server().url, '--prefix', options.prefix]
    const [text, json] = await Promise.all([cli(args), cli([...args, '--json'])])
    assert.equal(text.code, 0, text.err)
    assert.match(text.out, /^NODE +ROLE +STATUS/)
    assert.match(text.out, /^one +both +answers .* default,small,network/m)
    assert.deepEqual(
      json.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { node: string }).node),
      ['one', 'two'],
    )
  })

  it('are not listed where there is none, or no broker', async () => {
    const none = await cli(['nodes', '--broker', server().url, '--prefix', own().prefix])
    assert.deepEqual([none.code, none.out], [0, 'no nodes\n'])
    const wrong = await cli(['nodes', '--broker', 'amqp://guest:secret@127.0.0.1:1'])
    assert.equal(wrong.code, 4)
    assert.match(wrong.err, /MILLRACE_BROKER_LOST/)
    assert.ok(!wrong.err.includes('secret'))
    assert.equal((await cli(['nodes'])).code, 2)
  })
})

/** The jobs that a journal has written down as cancelled by others. */
function unwanted(file: string): readonly string[] {
  const db = new Database(file, { readonly: true })
  try {
    return db
      .prepare<[], { id: string }>('SELECT id FROM millrace_unwanted')
      .all()
      .map(({ id }) => id)
  } finally {
    db.close()
  }
}

describe('control on a cluster of its own', () => {
  const prefixOf = prefixesForSuite()
  const jobs = forSuite(anyRabbit)
  const control = forSuite(() => RabbitServer.start())

  it('has all that nodes say to each other, and goes on without that of the jobs', async (test) => {
    const prefix = prefixOf(jobs().url, () => [])
    const options = { urls: jobs().url, prefix, control: { urls: control().url } }
    const nodes = new RuntimeNodes(test, () => rabbitmq(options))
    const [one] = await nodes.pair({ timeoutMs: QUICK_MS })
    assert.deepEqual(
      (await one.runtime.ask({ verb: 'ping' })).map(({ type }) => type),
      ['answered', 'answered'],
    )
    const name = `${prefix}control.kept.two`
    await withChannel(control().url, async (channel) => assert.ok(await channel.checkQueue(name)))
    await withChannel(jobs().url, (channel) => assert.rejects(channel.checkQueue(name), /NOT_FOUND/))
  })
})
