import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Lookout } from '../../../runtime/journal/lookout.ts'

/** A port on which messages arrive at their instants, in ms; to look at it takes 10 µs. */
class Port {
  readonly clock = new ManualClock()
  readonly lookout = new Lookout(() => this.#receive(), this.clock)
  looks = 0
  #instants: number[] = []

  arrive(...instants: number[]): void {
    this.#instants.push(...instants)
  }

  /** The thread sleeps until `ms` and is woken by a message. */
  wakeAt(ms: number): void {
    this.clock.advance(ms - this.clock.monotonicMs())
    this.lookout.woken()
  }

  #receive(): number | undefined {
    this.looks++
    this.clock.advance(0.01)
    return (this.#instants[0] as number) <= this.clock.monotonicMs() ? this.#instants.shift() : undefined
  }
}

/** Woken twice, with 0.15 ms between the answer and the second message. */
function portWithHaste(): Port {
  const port = new Port()
  port.wakeAt(10)
  assert.equal(port.lookout.next(), undefined)
  port.wakeAt(10.15)
  return port
}

describe('looking out for the next message', () => {
  it('does not begin before one came soon', () => {
    const port = new Port()
    port.wakeAt(10)
    assert.equal(port.lookout.next(), undefined)
    port.wakeAt(10.3)
    assert.equal(port.lookout.next(), undefined)
    assert.equal(port.looks, 0)
  })

  it('finds what comes soon, again and again', () => {
    const port = portWithHaste()
    port.arrive(10.2, 10.27, 10.34)
    assert.deepEqual([port.lookout.next(), port.lookout.next(), port.lookout.next()], [10.2, 10.27, 10.34])
  })

  it('ends after 0.1 ms in which nothing came, and does not begin again when the next one is late', () => {
    const port = portWithHaste()
    assert.equal(port.lookout.next(), undefined)
    assert.ok(port.looks >= 9 && port.looks <= 11, `looked ${port.looks} times`)
    port.wakeAt(10.5)
    const { looks } = port
    assert.equal(port.lookout.next(), undefined)
    assert.equal(port.looks, looks)
  })

  it('begins again once one comes soon after it was given up', () => {
    const port = portWithHaste()
    port.lookout.next()
    port.wakeAt(10.32)
    port.arrive(10.36)
    assert.equal(port.lookout.next(), 10.36)
  })

  it('lets the thread do what else it has to after 5 ms, however fast messages come', () => {
    const port = portWithHaste()
    port.arrive(...Array.from({ length: 1_000 }, () => 10))
    while (port.lookout.next() !== undefined);
    const heldMs = port.clock.monotonicMs() - 10.15
    assert.ok(heldMs > 4.9 && heldMs < 5.1, `held for ${heldMs} ms`)
  })
})
