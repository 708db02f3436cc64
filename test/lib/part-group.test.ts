// needs-quiet: what a pick costs
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Limiters } from '../../lib/limiter.ts'
import { PartGroup, type Picked, type Ticket } from '../../lib/part-group.ts'
import { bytesHeld } from '../helpers/garbage.ts'
import { PartPlay, partStep, playRules } from '../helpers/part-play.ts'

describe('a group of parts', () => {
  it('gives out what breaks no limit, in order, and never more', () => {
    fc.assert(
      fc.property(playRules, fc.array(partStep, { maxLength: 120 }), (rules, steps) => {
        const play = new PartPlay(rules)
        for (const step of steps) play.run(step)
      }),
      { numRuns: 1_000 },
    )
  })

  it('lets every job run in the end, and then remembers nothing', () => {
    fc.assert(
      fc.property(playRules, fc.array(partStep, { maxLength: 60 }), (rules, steps) => {
        const play = new PartPlay(rules)
        for (const step of steps) play.run(step)
        play.finish()
        play.now += 10_000
        play.limiters.pass(play.now)
        assert.equal(play.group.parts, 0)
        assert.equal(play.limiters.size, rules.all === undefined ? 0 : 1)
      }),
      { numRuns: 300 },
    )
  })

  it('says when time opens it, and is open then', () => {
    fc.assert(
      fc.property(playRules, fc.array(partStep, { maxLength: 80 }), (rules, steps) => {
        const play = new PartPlay(rules)
        for (const step of steps) play.run(step)
        play.limiters.pass(play.now)
        if (play.group.position('foremost', play.now) !== undefined) return
        const opensAt = () => Math.min(play.limiters.opensAt, play.group.opensAt(play.now))
        for (let at = opensAt(); at < Number.POSITIVE_INFINITY; at = opensAt()) {
          assert.ok(at > play.now, 'it would be looked at over and over')
          play.now = at
          play.limiters.pass(at)
          if (play.group.position('foremost', at) !== undefined) return
        }
        // Nothing but a start or an end can open it.
        play.now += 1_000_000
        if (play.running.length === 0) assert.deepEqual(play.eligible(), [])
      }),
      { numRuns: 500 },
    )
  })
})

/** Parts of one job each and a limit for all of their `c`; returns what a pick costs a processor, in µs. */
function usPerPick(parts: number): number {
  const limiters = new Limiters()
  const group = new PartGroup(
    {
      gates: [],
      limitersOf: ({ part }) => [limiters.get({ name: `c ${Number(part) % 100}` }, { concurrency: 1 }, 0)],
      shareOf: ({ part }) => part as string,
      next: () => assert.fail('each part has one job'),
    },
    limiters,
  )
  for (let part = 0; part < parts; part++) group.add({ task: 0, part: String(part) }, 5, part)
  const before = process.cpuUsage()
  for (let now = 0; group.waiting > 0; now++) {
    const tickets: Ticket[] = []
    for (let picked = group.pick('foremost', now); picked !== undefined; picked = group.pick('foremost', now)) {
      tickets.push(picked.ticket)
    }
    assert.equal(tickets.length, Math.min(100, parts))
    for (const ticket of tickets) group.ended(ticket, 1, now)
  }
  assert.equal(group.parts, 0)
  assert.equal(limiters.size, 0)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / parts
}

describe('a group of very many parts', () => {
  it('picks in a time that grows no faster than the logarithm of their number', () => {
    const few = Math.min(...Array.from({ length: 5 }, () => usPerPick(2_000)))
    const many = usPerPick(100_000)
    assert.ok(many < few * 5, `${few.toFixed(1)} µs of 2,000 parts, ${many.toFixed(1)} µs of 100,000`)
  })

  it('takes little room for each that waits, and none for those that were', () => {
    const limiters = new Limiters()
    const group = new PartGroup(
      {
        gates: [],
        limitersOf: ({ part }) => [limiters.get({ name: `each ${part}` }, { concurrency: 1 }, 0)],
        shareOf: ({ part }) => `of ${part}`,
        next: () => assert.fail('each part has one job'),
      },
      limiters,
    )
    const empty = bytesHeld()
    let ord = 0
    for (let round = 0; round < 2; round++) {
      for (let part = 0; part < 100_000; part++) group.add({ task: 0, part: `part ${++ord}` }, 5, ord)
      const bytes = (bytesHeld() - empty) / 100_000
      assert.ok(bytes < 1_500, `${bytes} bytes for each part, with its limiter, its share and their names`)
      for (let now = 0; group.waiting > 0; now++) {
        group.ended((group.pick('foremost', now) as Picked).ticket, 1, now)
      }
      const left = bytesHeld() - empty
      // Those of a limiter each would be over a hundred a part; a test that runs alone has a few from what it has loaded.
      assert.ok(left < 8_000_000, `${left} bytes after ${ord} parts`)
    }
  })
})
