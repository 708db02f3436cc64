import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  MOST_CONTROL_BYTES,
  type NodeFacts,
} from '../../lib/control-message.ts'
import { MillraceError } from '../../lib/errors.ts'

const facts: NodeFacts = {
  role: 'both',
  host: 'machine',
  pid: 7,
  version: '1.2.3',
  places: ['default'],
  tasks: ['feed.deliver'],
}

const good: readonly ControlMessage[] = [
  { type: 'beat', node: 'abc123', facts },
  { type: 'left', node: 'abc123' },
  { type: 'who' },
  { type: 'ask', id: 'q1', from: 'a', nodes: 'all', request: { verb: 'ping' }, sentAt: 5, timeoutMs: 10 },
  { type: 'ask', id: 'q1', from: 'a', nodes: ['b'], request: { verb: 'pause', task: 'x' }, sentAt: 5, timeoutMs: 10 },
  { type: 'answer', id: 'q1', node: 'b', reply: { type: 'answered', answer: { deep: [1] } } },
  { type: 'answer', id: 'q1', node: 'b', reply: { type: 'failed', error: { name: 'Error', message: 'no' } } },
  { type: 'cancel', ids: ['abc123-1z'], sentBefore: 7 },
  { type: 'marker', token: 't' },
]

function refusal(body: unknown): string | undefined {
  try {
    decodeControl(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))
  } catch (error) {
    assert.ok(error instanceof MillraceError)
    assert.equal(error.code, 'MILLRACE_MESSAGE_MALFORMED')
    return error.path
  }
  return assert.fail('not refused')
}

describe('a message of the control of nodes', () => {
  it('is the same after it was sent', () => {
    for (const message of good) assert.deepEqual(decodeControl(encodeControl(message)), message)
  })

  it('is refused with the path of what is wrong', () => {
    const [beat, , , ask, , answer] = good as [object, object, object, object, object, object]
    const cases: readonly (readonly [unknown, string])[] = [
      ['', 'body'],
      ['[]', 'body'],
      ['null', 'body'],
      [{}, 'type'],
      [{ type: 'constructor' }, 'type'],
      [{ ...beat, node: '../etc' }, 'node'],
      [{ ...beat, node: 'x'.repeat(65) }, 'node'],
      [{ ...beat, facts: { ...facts, role: 'king' } }, 'facts.role'],
      [{ ...beat, facts: { ...facts, host: 'a\u001b[2J' } }, 'facts.host'],
      [{ ...beat, facts: { ...facts, tasks: 'all' } }, 'facts.tasks'],
      [{ ...beat, facts: { ...facts, tasks: ['a', 5] } }, 'facts.tasks[1]'],
      [{ ...beat, facts: { ...facts, pid: -1 } }, 'facts.pid'],
      [{ ...ask, from: 'A' }, 'from'],
      [{ ...ask, nodes: 'some' }, 'nodes'],
      [{ ...ask, nodes: ['b', null] }, 'nodes[1]'],
      [{ ...ask, request: 'ping' }, 'request'],
      [{ ...ask, request: {} }, 'request.verb'],
      [{ ...ask, timeoutMs: 1e12 }, 'timeoutMs'],
      [{ ...answer, reply: { type: 'maybe' } }, 'reply.type'],
      [{ type: 'cancel', ids: ['abc123-1z', 'x'] }, 'ids[1]'],
      [{ type: 'cancel', ids: Array.from({ length: 1_001 }, () => 'abc123-1z') }, 'ids'],
      [`{"type":"who","x":"${'y'.repeat(MOST_CONTROL_BYTES)}"}`, 'body'],
    ]
    for (const [body, path] of cases) assert.equal(refusal(body), path)
  })

  it('is refused or read, and nothing else, whatever comes', () => {
    const json = fc.jsonValue().map((value) => JSON.stringify(value))
    const near = fc
      .tuple(
        fc.constantFrom(...good),
        fc.dictionary(fc.constantFrom('type', 'node', 'facts', 'ids', 'reply'), fc.jsonValue()),
      )
      .map(([message, changes]) => JSON.stringify({ ...message, ...changes }))
    const bytes = fc.oneof(json, near).map((text) => Buffer.from(text))
    fc.assert(
      fc.property(fc.oneof(bytes, fc.uint8Array({ maxLength: 100 })), (body) => {
        try {
          encodeControl(decodeControl(body))
        } catch (error) {
          assert.equal((error as MillraceError).code, 'MILLRACE_MESSAGE_MALFORMED')
        }
      }),
    )
  })

  it('is not sent where it is too large', () => {
    const answer = 'x'.repeat(MOST_CONTROL_BYTES)
    assert.throws(() => encodeControl({ type: 'answer', id: 'a', node: 'b', reply: { type: 'answered', answer } }), {
      code: 'MILLRACE_MESSAGE_MALFORMED',
    })
  })
})
