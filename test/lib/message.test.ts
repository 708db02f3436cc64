import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../adapters/memory/index.ts'
import type { Delivery, Message } from '../../lib/broker.ts'
import {
  checkHeaders,
  checkMessage,
  checkPrefetch,
  checkQueueName,
  deadLetterOf,
  deadLetterQueue,
  deadLettersOf,
  MOST_BYTES,
} from '../../lib/message.ts'

const { supports } = memory()
const GOOD: Message = { id: 'a', queue: 'work', body: Buffer.alloc(0) }

function pathOf(of: object): string | undefined {
  const error = checkMessage({ ...GOOD, ...of }, supports)
  if (error === undefined) return undefined
  assert.equal(error.code, 'MILLRACE_MESSAGE_INVALID')
  assert.match(error.message, /expected/)
  return error.path
}

describe('a message', () => {
  it('is good at its bounds', () => {
    const good: readonly object[] = [
      { id: 'x'.repeat(128) },
      { queue: 'a'.repeat(128) },
      { body: Buffer.alloc(MOST_BYTES) },
      { body: new Uint8Array(5) },
      { priority: 0 },
      { priority: 9 },
      { delayMs: 0 },
      { delayMs: 0.5 },
      { headers: {} },
      { headers: Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`h${at}`, 'ä'.repeat(200)])) },
    ]
    for (const of of good) assert.equal(pathOf(of), undefined, JSON.stringify(of).slice(0, 80))
  })

  it('is refused beyond them, with the path', () => {
    const bad: readonly (readonly [object, string])[] = [
      [{ id: '' }, 'id'],
      [{ id: 'a b' }, 'id'],
      [{ id: 'ä' }, 'id'],
      [{ id: 5 }, 'id'],
      [{ id: 'x'.repeat(129) }, 'id'],
      [{ queue: 'Work' }, 'queue'],
      [{ queue: '_dead' }, 'queue'],
      [{ queue: '' }, 'queue'],
      [{ body: 'text' }, 'body'],
      [{ body: Object.create(null) }, 'body'],
      [{ headers: { hostile: { toString: 'x' } } }, 'headers.hostile'],
      [{ body: Buffer.alloc(MOST_BYTES + 1) }, 'body'],
      [{ priority: 10 }, 'priority'],
      [{ priority: 1.5 }, 'priority'],
      [{ delayMs: -1 }, 'delayMs'],
      [{ delayMs: Number.NaN }, 'delayMs'],
      [{ delayMs: 1e18 }, 'delayMs'],
      [{ headers: { Claim: 1 } }, 'headers.Claim'],
      [{ headers: { 'x-death': 1 } }, 'headers.x-death'],
      [{ headers: { claim: 1.5 } }, 'headers.claim'],
      [{ headers: { claim: null } }, 'headers.claim'],
      [{ headers: { claim: {} } }, 'headers.claim'],
      [{ headers: { text: 'ä'.repeat(8_200) } }, 'headers'],
      [{ headers: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`h${at}`, at])) }, 'headers'],
    ]
    for (const [of, path] of bad) assert.equal(pathOf(of), path, JSON.stringify(of).slice(0, 80))
  })

  it('has no delay for a broker that has none', () => {
    const without = { ...supports, delay: 'none' } as const
    assert.equal(checkMessage({ ...GOOD, delayMs: 0 }, without), undefined)
    assert.equal(checkMessage({ ...GOOD, delayMs: 1 }, without)?.path, 'delayMs')
  })
})

describe('a dead letter', () => {
  const delivery = (headers: Delivery['headers']) => ({ ...GOOD, headers }) as unknown as Delivery

  it('has the headers of the message and the reason, the latest one', () => {
    const { id, queue, headers } = deadLetterOf(delivery({ claim: 3, 'dead-reason': 'old' }), 'poison')
    assert.deepEqual([id, queue, headers], ['a', 'work.dead', { claim: 3, 'dead-reason': 'poison' }])
  })

  it('can be sent whatever the message and the reason are', () => {
    const most = Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`h${at}`, 'x'.repeat(500)]))
    assert.equal(checkHeaders(most), undefined)
    const letter = deadLetterOf(delivery(most), 'ä'.repeat(100_000))
    assert.equal(checkMessage(letter, supports), undefined)
  })

  it('goes to a queue that tells whose it is', () => {
    assert.equal(deadLettersOf(deadLetterQueue('feed')), 'feed')
    assert.equal(deadLettersOf('feed'), undefined)
  })
})

describe('names and numbers of a subscription', () => {
  it('are refused with what is expected', () => {
    for (const name of ['', 'A', '-a', 'a b', 'a'.repeat(129)]) {
      assert.throws(() => checkQueueName(name, 'queues'), { code: 'MILLRACE_INVALID_OPTION', path: 'queues' })
    }
    for (const prefetch of [-1, 1.5, 65_536, Number.NaN]) {
      assert.throws(() => checkPrefetch(prefetch), { code: 'MILLRACE_INVALID_OPTION', path: 'prefetch' })
    }
    assert.equal(checkPrefetch(65_535), 65_535)
  })
})
