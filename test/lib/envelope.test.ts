import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  decodeJob,
  encodeJob,
  type JobEnvelope,
  messageIdOf,
  messageOf,
  lengthWithId,
  overridesWithId,
  PUBLICATIONS,
  replyQueueOf,
} from '../../lib/envelope.ts'
import { readOverrides } from '../../lib/job-extra.ts'
import { MOST_DELAY_MS } from '../../adapters/rabbitmq/delays.ts'

const whole = (min: number, max: number) => fc.integer({ min, max })

const envelopes: fc.Arbitrary<JobEnvelope> = fc.record(
  {
    id: fc.constantFrom('abc123-1', 'zzzzzz-zzzz'),
    task: fc.constantFrom('feed.deliver', 'a'),
    claim: fc.nat({ max: 2 ** 30 }).map((claims) => PUBLICATIONS + claims),
    attempt: fc.nat({ max: 1e9 }),
    deliveries: fc.nat({ max: 1e6 }),
    strays: fc.nat({ max: 1e6 }),
    createdAt: whole(0, 2 ** 31),
    priority: whole(0, 9),
    overrides: fc.constantFrom('{"keepResultMs":5}', '{"metadata":{"from":"web"}}'),
    expiresAt: whole(0, 2 ** 31),
    part: fc.string(),
    reply: fc.constant(replyQueueOf('0123456789abcdef')),
    version: whole(1, 100),
    input: fc.json().map((text) => text.replaceAll('\n', ' ')),
  },
  {
    noNullPrototype: true,
    requiredKeys: ['id', 'task', 'claim', 'attempt', 'deliveries', 'strays', 'createdAt', 'input'],
  },
)

const PLAIN: JobEnvelope = {
  id: 'abc123-1',
  task: 'feed.deliver',
  claim: PUBLICATIONS,
  attempt: 0,
  deliveries: 0,
  strays: 0,
  createdAt: 1,
  input: '{"photo":"p"}',
}

function altered(change: Record<string, unknown>): Uint8Array {
  const { input, ...header } = PLAIN
  return Buffer.from(`${JSON.stringify({ ...header, ...change })}\n${input}`)
}

describe('a job as a message', () => {
  it('is read as it was written', () => {
    fc.assert(fc.property(envelopes, (envelope) => assert.deepEqual(decodeJob(encodeJob(envelope)), envelope)))
  })

  it('has its input as it was encoded once, also where that is nothing', () => {
    for (const input of ['', 'null', '"ünï\u{1f600}"'])
      assert.equal(decodeJob(encodeJob({ ...PLAIN, input })).input, input)
  })

  it('has an id that stays for each try to send it', () => {
    assert.equal(messageIdOf(PLAIN), `abc123-1.${PUBLICATIONS}`)
    assert.notEqual(messageIdOf({ ...PLAIN, claim: PUBLICATIONS + 1 }), messageIdOf(PLAIN))
  })

  it('passes over what a newer node says besides', () => {
    assert.deepEqual(decodeJob(altered({ colour: 'red' })), PLAIN)
  })

  it('is refused with the path of what is wrong, whatever somebody has put there', () => {
    const wrong: readonly [Record<string, unknown>, string][] = [
      [{ id: 7 }, 'id'],
      [{ id: '../../etc' }, 'id'],
      [{ task: 'No Task' }, 'task'],
      [{ claim: 1 }, 'claim'],
      [{ claim: 1e300 }, 'claim'],
      [{ attempt: -1 }, 'attempt'],
      [{ deliveries: '3' }, 'deliveries'],
      [{ createdAt: null }, 'createdAt'],
      [{ priority: 10 }, 'priority'],
      [{ overrides: '{"retry":7}' }, 'overrides'],
      [{ overrides: '{"hardLimitMs":-1}' }, 'overrides'],
      [{ overrides: { id: 'x' } }, 'overrides'],
      [{ expiresAt: 'soon' }, 'expiresAt'],
      [{ part: 'x'.repeat(20_000) }, 'part'],
      [{ reply: 'loop' }, 'reply'],
      [{ reply: 'node.a.dead' }, 'reply'],
      [{ version: 0 }, 'version'],
    ]
    for (const [change, path] of wrong) {
      assert.throws(
        () => decodeJob(altered(change)),
        { code: 'MILLRACE_MESSAGE_MALFORMED', path },
        JSON.stringify(change),
      )
    }
  })

  it('is refused and never crashes for any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map((text) => Buffer.from(`${text}\nnull`)),
    )
    fc.assert(
      fc.property(bytes, (body) => {
        assert.throws(() => decodeJob(body), { code: 'MILLRACE_MESSAGE_MALFORMED' })
      }),
    )
    assert.throws(() => decodeJob(Buffer.concat([encodeJob(PLAIN), Buffer.from([0xff])])), { path: 'input' })
    assert.throws(() => decodeJob(Buffer.alloc(1024 * 1024, 0x7b)), { path: 'body' })
  })

  it('is held back for as long as its broker can', () => {
    const supports = { durability: 'restart', priorities: 1, deadLetter: true, control: true } as const
    const delay = { stepMs: 1_000, mostMs: MOST_DELAY_MS }
    assert.equal(messageOf(PLAIN, 'feed', 5_000, { ...supports, delay }).delayMs, 5_000)
    assert.equal(messageOf(PLAIN, 'feed', Number.MAX_SAFE_INTEGER, { ...supports, delay }).delayMs, MOST_DELAY_MS)
    assert.equal(messageOf(PLAIN, 'feed', -1, { ...supports, delay }).delayMs, undefined)
    assert.equal(messageOf(PLAIN, 'feed', 5_000, { ...supports, delay: 'none' }).delayMs, undefined)
  })

  it('says where it runs by which id it is known', () => {
    assert.deepEqual(readOverrides(overridesWithId(PLAIN)), { id: 'abc123-1' })
    const overrides = '{"keepResultMs":5}'
    assert.deepEqual(readOverrides(overridesWithId({ ...PLAIN, overrides })), { id: 'abc123-1', keepResultMs: 5 })
    for (const job of [PLAIN, { ...PLAIN, overrides }]) assert.equal(lengthWithId(job), overridesWithId(job).length)
    assert.throws(() => readOverrides('{"id":"no id"}'), { code: 'MILLRACE_PAYLOAD_CORRUPT' })
  })
})
