// needs-quiet: a timer beside a long mailbox
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { Mailbox, rota, Rota, type Runnable, type Told } from '../../lib/mailbox.ts'

type Step = 'put' | 'signal' | 'urgent' | 'take' | 'close'

const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom<Step>('put', 'put', 'put', 'signal', 'urgent', 'take', 'take') },
    { weight: 1, arbitrary: fc.constant<Step>('close') },
  ),
)

/** What an actor would take next. */
function take(mailbox: Mailbox<number, string>): number | string | undefined {
  if (mailbox.signals > 0) return mailbox.takeSignal()
  return mailbox.messages > 0 ? mailbox.takeMessage() : undefined
}

describe('a mailbox', () => {
  it('gives messages and signals each in their order, signals first, and never holds too much', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (sequence, capacity) => {
        const mailbox = new Mailbox<number, string>(capacity)
        const messages: number[] = []
        const signals: string[] = []
        let closed = false
        for (const [at, step] of sequence.entries()) {
          if (step === 'put') {
            const expected: Told = closed ? 'closed' : messages.length === capacity ? 'full' : 'accepted'
            assert.equal(mailbox.put(at), expected)
            if (expected === 'accepted') messages.push(at)
          } else if (step === 'signal') {
            mailbox.signal(`${at}`)
            signals.push(`${at}`)
          } else if (step === 'urgent') {
            mailbox.urgent(`${at}`)
            signals.unshift(`${at}`)
          } else if (step === 'take') assert.equal(take(mailbox), signals.shift() ?? messages.shift())
          else {
            mailbox.close()
            closed = true
            messages.length = 0
          }
          assert.deepEqual([mailbox.messages, mailbox.signals], [messages.length, signals.length])
        }
      }),
    )
  })

  it('takes signals when it is full and when it is closed', () => {
    const mailbox = new Mailbox<string, string>(1)
    mailbox.put('message')
    assert.equal(mailbox.put('another'), 'full')
    mailbox.signal('while full')
    mailbox.close()
    mailbox.signal('while closed')
    assert.deepEqual([mailbox.takeSignal(), mailbox.takeSignal()], ['while full', 'while closed'])
  })
})

/** Takes all the steps that it gets and is never idle until told; two of them are two actors that tell each other. */
class Endless implements Runnable {
  steps = 0
  status: 'going' | 'over' = 'going'
  readonly #rota: Rota
  readonly #next: () => void

  constructor(ofRota: Rota, next: () => void) {
    this.#rota = ofRota
    this.#next = next
  }

  run(): 'idle' | 'spent' {
    if (this.status === 'over') return 'idle'
    if (this.#rota.takeStep() === 'spent') return 'spent'
    this.steps++
    this.#next()
    return 'idle'
  }
}

/** How long the loop is kept from a timer that is due, while something goes on for at most `forMs`. */
async function blockedMs(begin: () => void, isOver: () => boolean): Promise<number> {
  const beganAt = performance.now()
  begin()
  await new Promise((resolve) => setTimeout(resolve, 1))
  const ms = performance.now() - beganAt
  assert.ok(!isOver(), 'it went on all the time')
  return ms
}

describe('the rota', () => {
  it('gives the loop back though those on it never cease to wake each other', async () => {
    const own = new Rota()
    const one: Endless = new Endless(own, () => own.add(other))
    const other: Endless = new Endless(own, () => own.add(one))
    const ms = await blockedMs(
      () => own.add(one),
      () => one.status === 'over',
    )
    const stepsSoFar = one.steps
    for (let turns = 0; turns < 100 && one.steps === stepsSoFar; turns++) await turn()
    assert.ok(one.steps > stepsSoFar, 'it goes on in later turns')
    one.status = 'over'
    assert.ok(ms < 100, `timer after ${ms} ms`)
  })

  it('has to, because microtasks that wake each other keep the loop', async () => {
    const endsAt = performance.now() + 50
    const wake = () => {
      if (performance.now() < endsAt) queueMicrotask(wake)
    }
    const ms = await blockedMs(
      () => queueMicrotask(wake),
      () => false,
    )
    assert.ok(ms >= 49, `timer after ${ms} ms`)
  })

  it('lets others go first after it has spent a slice on one', async () => {
    const own = new Rota()
    let slices = 0
    let slicesBefore: number | undefined
    own.add({
      run() {
        while (own.takeStep() === 'granted') continue
        return ++slices < 5 ? 'spent' : 'idle'
      },
    })
    own.add({
      run() {
        if (own.takeStep() === 'spent') return 'spent'
        slicesBefore = slices
        return 'idle'
      },
    })
    while (slices < 5) await turn()
    assert.ok(slicesBefore !== undefined && slicesBefore < 5)
  })

  it('runs those first that came first, when its slices are spent too', async () => {
    const own = new Rota()
    const order: number[] = []
    for (let at = 0; at < 5_000; at++) {
      own.add({
        run() {
          if (own.takeStep() === 'spent') return 'spent'
          order.push(at)
          return 'idle'
        },
      })
    }
    for (let turns = 0; turns < 5_000 && order.length < 5_000; turns++) await turn()
    assert.deepEqual(order, [...Array(5_000).keys()])
  })

  it('runs nobody in the context of the one who woke them', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    await storage.run('caller', async () => {
      rota.add({
        run() {
          seen.push(storage.getStore())
          return 'idle'
        },
      })
      while (seen.length === 0) await turn()
      assert.equal(storage.getStore(), 'caller', 'the control')
    })
    assert.deepEqual(seen, [undefined])
  })
})
