import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { writeTogether } from '../../../adapters/rabbitmq/write-together.ts'

function stream() {
  const groups: string[][] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      groups.push([chunk.toString()])
      done()
    },
    writev(chunks, done) {
      groups.push(chunks.map(({ chunk }) => (chunk as Buffer).toString()))
      done()
    },
  })
  return { sink, groups }
}

describe('what is written to a connection', () => {
  it('goes together as far as it comes together, in its order', async () => {
    const { sink, groups } = stream()
    writeTogether(sink)
    for (const text of ['a', 'b', 'c']) sink.write(text)
    assert.deepEqual(groups, [])
    await turn()
    sink.write('d')
    await turn()
    assert.deepEqual(groups, [['a', 'b', 'c'], ['d']])
  })

  it('goes one by one otherwise (control)', () => {
    const { sink, groups } = stream()
    for (const text of ['a', 'b']) sink.write(text)
    assert.deepEqual(groups, [['a'], ['b']])
  })

  it('says when there is enough, and is all there at the end', async () => {
    const { sink, groups } = stream()
    writeTogether(sink)
    let drained = 0
    sink.on('drain', () => drained++)
    const large = 'x'.repeat(sink.writableHighWaterMark)
    assert.equal(sink.write(large), false)
    sink.end('end')
    await turn()
    assert.deepEqual(groups.flat().join('').length, large.length + 3)
    assert.equal(drained, 0, 'it has ended')
    const other = stream()
    writeTogether(other.sink)
    other.sink.on('drain', () => drained++)
    other.sink.write(large)
    await turn()
    assert.equal(drained, 1)
  })
})
