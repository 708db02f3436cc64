import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { ChannelModel } from 'amqplib'
import { Session, type SessionOwner } from '../../../adapters/rabbitmq/session.ts'

/** A channel whose answers come a microtask later; `rooms` are the prefetches of its consumers. */
class Channel extends EventEmitter {
  readonly rooms = new Map<string, number>()
  #prefetch = 0
  #tags = 0

  async prefetch(count: number): Promise<void> {
    this.#prefetch = count
  }

  async consume(): Promise<{ readonly consumerTag: string }> {
    const consumerTag = `tag${this.#tags++}`
    this.rooms.set(consumerTag, this.#prefetch)
    return { consumerTag }
  }

  async cancel(tag: string): Promise<void> {
    this.rooms.delete(tag)
  }

  get room(): number {
    return [...this.rooms.values()].reduce((sum, each) => sum + each, 0)
  }
}

async function open(): Promise<{ readonly session: Session; readonly channel: Channel }> {
  const channel = new Channel()
  const model = { createChannel: () => Promise.resolve(channel) } as unknown as ChannelModel
  return { session: await Session.open(model, {} as SessionOwner), channel }
}

describe('the room of a session', () => {
  it('grows by consumers more, and shrinks to what is wanted', async () => {
    const { session, channel } = await open()
    await session.consume('queue', 10)
    await session.tune(30)
    assert.deepEqual([...channel.rooms.values()], [10, 20])
    await session.tune(15)
    assert.deepEqual([...channel.rooms.values()], [10, 5])
    await session.tune(0)
    assert.equal(channel.room, 0)
  })

  it('is the latest that was wanted, whenever that came', async () => {
    const MICROTASKS = 30
    for (let at = 0; at < MICROTASKS; at++) {
      for (const wanted of [0, 7, 100]) {
        const { session, channel } = await open()
        void session.consume('queue', 10)
        for (let tick = 0; tick < at; tick++) await Promise.resolve()
        void session.tune(wanted)
        await turn()
        assert.equal(channel.room, wanted, `${wanted} after ${at} microtasks`)
      }
    }
  })
})
