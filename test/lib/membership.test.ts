import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { GONE_MS, LATE_MS, Membership, MOST_NODES, REMEMBERED_MS } from '../../lib/membership.ts'

type Step =
  | { readonly type: 'heard' | 'left' | 'remember'; readonly node: string; readonly afterMs: number }
  | { readonly type: 'wait'; readonly afterMs: number }

const node = fc.constantFrom('a', 'b', 'c')
const afterMs = fc.oneof(fc.nat(GONE_MS + 1_000), fc.nat(REMEMBERED_MS + GONE_MS), fc.constantFrom(LATE_MS, GONE_MS))
const steps = fc.array(
  fc.oneof(
    fc.record({ type: fc.constantFrom('heard', 'heard', 'left', 'remember'), node, afterMs }),
    fc.record({ type: fc.constant('wait'), afterMs }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 40 },
)

/** Plays steps, and looks after each of them; `now` only rises. */
function play(all: readonly Step[], look: (members: Membership<number>, now: number, step: Step) => void) {
  const members = new Membership<number>()
  let now = 0
  for (const step of all) {
    now += step.afterMs
    if (step.type === 'heard') members.heard(step.node, now, now)
    if (step.type === 'left') members.left(step.node, now)
    if (step.type === 'remember') members.remember(step.node, now - 1_000, now)
    look(members, now, step)
  }
}

describe('membership', () => {
  it('says answers, late and gone by the time since something came, and since when', () => {
    const members = new Membership<string>()
    members.heard('a', 'first', 1_000)
    members.heard('a', 'second', 5_000)
    const at = (now: number) => members.members(now).map(({ status, sinceMs }) => [status, sinceMs])
    assert.deepEqual(at(5_000), [['answers', 1_000]])
    assert.deepEqual(at(5_000 + LATE_MS - 1), [['answers', 1_000]])
    assert.deepEqual(at(5_000 + LATE_MS), [['late', 5_000 + LATE_MS]])
    assert.deepEqual(at(5_000 + GONE_MS), [['gone', 5_000 + GONE_MS]])
    members.heard('a', undefined, 100_000)
    assert.deepEqual(at(100_001), [['answers', 100_000]])
    assert.equal(members.members(100_001)[0]?.about, 'second')
  })

  it('has the status that its definition says, whatever happened before', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const heardAt = new Map<string, number>()
        const gone = new Set<string>()
        play(all, (members, now, step) => {
          if (step.type === 'heard') heardAt.set(step.node, now)
          if (step.type === 'heard') gone.delete(step.node)
          if (step.type === 'left' && heardAt.has(step.node)) gone.add(step.node)
          for (const [name, at] of heardAt) {
            const silentMs = now - at
            if (silentMs >= REMEMBERED_MS + GONE_MS) continue
            const status = members.statusOf(name, now)
            if (gone.has(name) || silentMs >= GONE_MS) assert.ok(status === 'gone' || status === undefined)
            else assert.equal(status, silentMs >= LATE_MS ? 'late' : 'answers')
          }
        })
      }),
    )
  })

  it('never says since a time that is to come, lists each node once, and agrees with itself', () => {
    fc.assert(
      fc.property(steps, (all) => {
        play(all, (members, now) => {
          const list = members.members(now)
          assert.equal(new Set(list.map((member) => member.node)).size, list.length)
          for (const { node: name, status, sinceMs } of list) {
            assert.ok(sinceMs <= now)
            assert.equal(members.statusOf(name, now), status)
          }
        })
      }),
    )
  })

  it('only gets worse while nothing comes', () => {
    const order = ['answers', 'late', 'gone', undefined]
    fc.assert(
      fc.property(steps, fc.array(fc.nat(GONE_MS), { maxLength: 8 }), (all, waits) => {
        let last: { members: Membership<number>; now: number } | undefined
        play(all, (members, now) => (last = { members, now }))
        if (last === undefined) return
        let { now } = last
        let before = 0
        for (const ms of waits) {
          now += ms
          const rank = order.indexOf(last.members.statusOf('a', now))
          assert.ok(rank >= before)
          before = rank
        }
      }),
    )
  })

  it('remembers who is gone for a day, and those from before as gone', () => {
    const members = new Membership<string>()
    members.heard('a', 'x', 0)
    members.left('a', 10)
    members.remember('b', -REMEMBERED_MS + 20, 10)
    assert.deepEqual(
      members.members(15).map((member) => [member.node, member.status, member.sinceMs]),
      [
        ['a', 'gone', 10],
        ['b', 'gone', -REMEMBERED_MS + 20],
      ],
    )
    assert.deepEqual(
      members.members(20).map((member) => member.node),
      ['a'],
    )
    assert.deepEqual(members.members(10 + REMEMBERED_MS), [])
  })

  it('blames nobody for the time in which it was away itself', () => {
    const members = new Membership<string>()
    members.heard('a', 'x', 0)
    members.heard('b', 'x', 0)
    members.left('b', 0)
    members.wasAway(60_000, 62_000)
    assert.equal(members.statusOf('a', 62_000), 'answers')
    assert.equal(members.statusOf('b', 62_000), 'gone')
    assert.equal(members.statusOf('a', 60_000 + LATE_MS), 'late')
  })

  it('gives up who has been gone for longest for a stranger, and nobody who is there', () => {
    const members = new Membership<string>()
    for (let at = 0; at < MOST_NODES; at++) members.heard(`n${at}`, '', at)
    assert.equal(members.heard('stranger', '', MOST_NODES), 'known')
    assert.equal(members.statusOf('stranger', MOST_NODES), undefined)
    members.left('n7', MOST_NODES)
    members.left('n3', MOST_NODES + 1)
    assert.equal(members.heard('stranger', '', MOST_NODES + 2), 'new')
    assert.equal(members.statusOf('n7', MOST_NODES + 2), undefined)
    assert.equal(members.statusOf('n3', MOST_NODES + 2), 'gone')
  })
})
