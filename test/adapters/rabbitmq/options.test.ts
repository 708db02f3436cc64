import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { linkName, parseAddress, withoutSecrets } from '../../../adapters/rabbitmq/address.ts'
import { failure } from '../../../adapters/rabbitmq/failures.ts'
import { rabbitmq, type RabbitmqOptions } from '../../../adapters/rabbitmq/index.ts'
import { controlSettingsOf, settingsOf } from '../../../adapters/rabbitmq/options.ts'
import { MillraceError } from '../../../lib/errors.ts'

const SECRET = 's3cr:et/%@x'
const URL_WITH_SECRET = `amqp://ada:${encodeURIComponent(SECRET)}@broker.example:5673/my%2Fhost`

function refusal(options: unknown): MillraceError {
  try {
    rabbitmq(options as RabbitmqOptions)
  } catch (error) {
    assert.ok(error instanceof MillraceError)
    return error
  }
  throw new assert.AssertionError({ message: `accepted: ${JSON.stringify(options)}` })
}

describe('the options of rabbitmq', () => {
  it('have defaults for everything but the URLs', () => {
    const { clusters, ...others } = settingsOf({ urls: 'amqp://localhost' })
    assert.equal(clusters.length, 1)
    assert.deepEqual(others, {
      prefix: 'millrace.',
      queues: 'quorum',
      declare: 'active',
      window: 500,
      publishTimeoutMs: 10_000,
      heartbeatMs: 10_000,
      silenceMs: 15_000,
    })
  })

  it('tell clusters from the nodes of one cluster', () => {
    const { clusters } = settingsOf({ urls: ['amqp://a', ['amqp://b', 'amqps://c']] })
    assert.deepEqual(
      clusters.map((nodes) => nodes.map(linkName)),
      [['amqp://a:5672'], ['amqp://b:5672', 'amqps://c:5671']],
    )
  })

  it('divide control from the jobs where it has URLs of its own, and refuse those by their path', () => {
    const options = { urls: 'amqp://a', window: 7, control: { urls: ['amqp://c', 'amqp://d'] } }
    assert.equal(controlSettingsOf({ urls: 'amqp://a' }), undefined)
    const settings = controlSettingsOf(options)
    assert.deepEqual(
      settings?.clusters.map((nodes) => nodes.map(linkName)),
      [['amqp://c:5672'], ['amqp://d:5672']],
    )
    assert.equal(settings?.window, 7)
    assert.equal(refusal({ urls: 'amqp://a', control: { urls: ['http://c'] } }).path, 'control.urls[0]')
    assert.equal(refusal({ urls: 'amqp://a', control: { url: 'amqp://c' } }).path, 'control.url')
    assert.equal(refusal({ urls: 'amqp://a', control: 'amqp://c' }).path, 'control')
  })

  it('are refused by name with the one that was meant, and by value with what is expected', () => {
    const unknown = refusal({ urls: 'amqp://a', prefx: 'x.' })
    assert.deepEqual([unknown.code, unknown.path], ['MILLRACE_UNKNOWN_OPTION', 'prefx'])
    assert.match(unknown.message, /did you mean prefix\?/)
    const values: readonly (readonly [object, string])[] = [
      [{ prefix: 'a b' }, 'prefix'],
      [{ queues: 'mirrored' }, 'queues'],
      [{ declare: true }, 'declare'],
      [{ window: 0 }, 'window'],
      [{ window: 1.5 }, 'window'],
      [{ publishTimeoutMs: -1 }, 'publishTimeoutMs'],
      [{ publishTimeoutMs: 0 }, 'publishTimeoutMs'],
      [{ heartbeatMs: 1_500 }, 'heartbeatMs'],
      [{ heartbeatMs: '10000' }, 'heartbeatMs'],
      [{ heartbeatMs: 601_000 }, 'heartbeatMs'],
      [{ urls: [] }, 'urls'],
      [{ urls: [[]] }, 'urls[0]'],
      [{ urls: ['amqp://a', 'http://b'] }, 'urls[1]'],
      [{ urls: [['amqp://a', 5]] }, 'urls[0][1]'],
      [{ urls: ['amqp://a', 'amqp://a:5672'] }, 'urls'],
    ]
    for (const [options, path] of values) {
      const error = refusal({ urls: 'amqp://a', ...options })
      assert.deepEqual([error.code, error.path], ['MILLRACE_INVALID_OPTION', path])
      assert.match(error.message, /expected/)
    }
  })

  it('never show a URL that is refused, whose password may be in it', () => {
    const bad = [
      `amqp//ada:${SECRET}@x`,
      `${URL_WITH_SECRET}?heartbeat=5`,
      `${URL_WITH_SECRET}/more`,
      URL_WITH_SECRET.replace('amqp:', 'http:'),
      `amqp://ada:%zz${encodeURIComponent(SECRET)}@x`,
    ]
    for (const urls of bad) {
      const error = refusal({ urls })
      const shown = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
      assert.ok(!shown.includes('s3cr'), shown)
    }
    assert.ok(!refusal({ urls: [URL_WITH_SECRET, URL_WITH_SECRET] }).message.includes('s3cr'))
  })
})

describe('an address', () => {
  it('is read with everything that a URL can escape', () => {
    assert.deepEqual(parseAddress(URL_WITH_SECRET, 'urls'), {
      protocol: 'amqp',
      hostname: 'broker.example',
      port: 5673,
      username: 'ada',
      password: SECRET,
      vhost: 'my/host',
    })
    const { hostname, vhost, username, password } = parseAddress('amqp://[::1]', 'urls')
    assert.deepEqual([hostname, vhost, username, password], ['::1', '/', 'guest', 'guest'])
  })

  it('is shown without user and password', () => {
    assert.equal(linkName(parseAddress(URL_WITH_SECRET, 'urls')), 'amqp://broker.example:5673/my%2Fhost')
    assert.equal(linkName(parseAddress('amqps://[::1]', 'urls')), 'amqps://[::1]:5671')
  })

  it('takes its password out of what others say, escaped or not, and out of causes', () => {
    const addresses = [parseAddress(URL_WITH_SECRET, 'urls')]
    const said = `cannot use ${SECRET} or ${encodeURIComponent(SECRET)}`
    assert.equal(withoutSecrets(said, addresses), 'cannot use *** or ***')
    const cause = Object.assign(new Error(said), { input: URL_WITH_SECRET })
    const error = failure('cannot connect', cause, addresses)
    assert.ok(error.cause instanceof Error && !('input' in error.cause))
    assert.ok(![error.message, error.stack, error.cause.message, error.cause.stack].join(' ').includes(SECRET))
  })
})
