import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { spawn } from '../../../lib/actor.ts'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { HistoryBound } from '../../../runtime/journal/store/history.ts'
import type { Answer, Request } from '../../../runtime/journal/protocol.ts'
import { Upkeep } from '../../../runtime/upkeep/upkeep.ts'

const START = 1_000_000
const HOUR_MS = 3_600_000

const swept = (count: number, more: 'yes' | 'no' = 'no', nextAt?: number): Answer => ({
  type: 'swept',
  count,
  more,
  nextAt,
})

/** An upkeep that has started, and what it asks of the journal; the answers to its sweeps are taken from the front. */
function upkeepOn(clock: Clock, ...answers: (Answer | Error)[]) {
  return upkeepThatFinds({ nextDueAt: undefined, suspects: 0 }, clock, ...answers)
}

/** The same, where a commit has said so before there was an upkeep. */
function upkeepThatFinds(
  found: { readonly nextDueAt: number | undefined; readonly suspects: number },
  clock: Clock,
  ...answers: (Answer | Error)[]
) {
  const asked: Request[] = []
  const errors: unknown[] = []
  const nudges: number[] = []
  let writes = 0
  let histories: HistoryBound[] = [{ task: 3, max: 9 }]
  let nudged: () => void = () => {}
  const upkeep = new Upkeep({
    clock,
    journal: {
      ...found,
      get writes() {
        return writes
      },
      nudge() {
        nudges.push(clock.now())
        nudged()
      },
      request(request) {
        asked.push(request)
        const answer = answers.shift() ?? swept(0)
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
      },
    },
    maxResults: 70,
    maxEnded: 80,
    histories: () => histories,
    onError: (error) => void errors.push(error),
  })
  upkeep.start()
  const nextDueAt = (at: number | undefined) => upkeep.receive({ type: 'next-due', at })
  const suspects = (count: number) => upkeep.receive({ type: 'suspects', count })
  const nudge = () =>
    new Promise<void>((resolve) => {
      nudged = resolve
    })
  const write = () => void writes++
  const withoutHistories = () => {
    histories = []
  }
  return { upkeep, asked, errors, nudges, nudge, nextDueAt, suspects, answers, write, withoutHistories }
}

function upkeepOf(...answers: (Answer | Error)[]) {
  const clock = new ManualClock(START)
  return { clock, ...upkeepOn(clock, ...answers) }
}

/** How long after one another the next sweeps come. */
async function gapsOf(clock: ManualClock, sweeps: number): Promise<number[]> {
  const gaps: number[] = []
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const gap = (clock.nextTimerAt as number) - clock.now()
    gaps.push(gap)
    clock.advance(gap)
    await turn()
  }
  return gaps
}

describe('what a commit has said before there was an upkeep', () => {
  it('is what it begins with: the next instant, and a trial', async () => {
    const clock = new ManualClock(START)
    const { asked, nudges } = upkeepThatFinds({ nextDueAt: START + 700, suspects: 1 }, clock)
    clock.advance(199)
    assert.deepEqual([nudges, asked], [[], []])
    clock.advance(1)
    await turn()
    assert.deepEqual(asked, [{ type: 'trial' }])
    clock.advance(500)
    assert.deepEqual(nudges, [START + 700])
  })
})

describe('what is due next', () => {
  it('has the journal look at its instant, once', () => {
    const { clock, nudges, nextDueAt } = upkeepOf()
    nextDueAt(START + 700)
    clock.advance(699)
    assert.deepEqual(nudges, [])
    clock.advance(2_000)
    assert.deepEqual(nudges, [START + 700])
  })

  it('has one timer, however often its instant changes', () => {
    const { clock, nudges, nextDueAt } = upkeepOf()
    for (const after of [900, 300, 300, 600]) nextDueAt(START + after)
    clock.advance(2_000)
    assert.deepEqual(nudges, [START + 600])
    nextDueAt(START + 3_000)
    nextDueAt(undefined)
    clock.advance(2_000)
    assert.equal(nudges.length, 1)
  })

  it('may be the same instant again after the journal has looked', () => {
    const { clock, nudges, nextDueAt } = upkeepOf()
    nextDueAt(START + 10)
    clock.advance(10)
    nextDueAt(START + 10)
    clock.advance(0)
    assert.deepEqual(nudges, [START + 10, START + 10])
  })

  it('is due when the clock of the machine says so, also if that is set', { timeout: 5_000 }, async (test) => {
    const { set, now } = settableClock(test)
    const { upkeep, nudges, nudge, nextDueAt } = upkeepOn(systemClock)
    test.after(() => upkeep.stop())
    const far = now() + HOUR_MS
    const forth = nudge()
    nextDueAt(far)
    set(HOUR_MS)
    await forth
    const near = now() + 20
    const back = nudge()
    nextDueAt(near)
    set(0)
    // Well after `near` by a timer that only counts: what follows the clock is not due before it is set forth again.
    systemClock.setTimer(100, () => set(HOUR_MS))
    await back
    assert.equal(nudges.length, 2)
    assert.ok((nudges[0] as number) >= far && (nudges[1] as number) >= near)
  })
})

/** The machine's clock, set forth by so many ms. */
function settableClock(test: TestContext) {
  const now = Date.now.bind(Date)
  let offsetMs = 0
  test.mock.method(Date, 'now', () => now() + offsetMs)
  return {
    now: () => Date.now(),
    set(ms: number) {
      offsetMs = ms
    },
  }
}

describe('sweeps', () => {
  it('come after 5 s, and more and more rarely up to once a minute while they find nothing', async () => {
    const { clock, asked } = upkeepOf()
    const gaps = await gapsOf(clock, 14)
    assert.deepEqual(
      gaps.map((ms) => ms / 1_000),
      [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60],
    )
    assert.deepEqual(asked[0], {
      type: 'sweep',
      limit: 500,
      maxResults: 70,
      maxEnded: 80,
      histories: [{ task: 3, max: 9 }],
    })
  })

  it('come again soon after one that has found something, and at once when there is more', async () => {
    const { clock } = upkeepOf(swept(0), swept(1), swept(500, 'yes'), swept(500, 'yes'), swept(3))
    const gaps = await gapsOf(clock, 6)
    assert.deepEqual(
      gaps.map((ms) => ms / 1_000),
      [5, 10, 5, 0, 0, 5],
    )
  })

  it('come once in ten minutes while nothing is written, or when the time of an ended job is over', async () => {
    const { clock, asked, answers, write, withoutHistories } = upkeepOf()
    withoutHistories()
    const sweptAt: number[] = []
    const passMinutes = async (minutes: number) => {
      for (let end = clock.now() + minutes * 60_000; (clock.nextTimerAt as number) <= end; ) {
        const before = asked.length
        await gapsOf(clock, 1)
        if (asked.length > before) sweptAt.push((clock.now() - START) / 1_000)
      }
    }
    await passMinutes(25)
    assert.deepEqual(sweptAt, [5, 615, 1_215])
    answers.push(swept(0, 'no', START + 1_700_000))
    write()
    await passMinutes(5)
    assert.deepEqual(sweptAt.slice(3), [1_515, 1_755], 'after what was written, and for what is over')
  })

  it('go on after one that failed, which is told', async () => {
    const { clock, errors } = upkeepOf(new Error('disk full'))
    assert.deepEqual(await gapsOf(clock, 2), [5_000, 5_000])
    assert.match(String(errors[0]), /disk full/)
  })
})

describe('trials', () => {
  const trialsIn = (asked: readonly Request[]) => asked.filter(({ type }) => type === 'trial').length

  it('begin a little after there are suspects, one at a time', async () => {
    const { clock, asked, suspects } = upkeepOf()
    suspects(3)
    clock.advance(199)
    suspects(3)
    assert.equal(trialsIn(asked), 0)
    clock.advance(1)
    assert.equal(trialsIn(asked), 1)
    clock.advance(3_000)
    assert.equal(trialsIn(asked), 1, 'not before the journal says again that there are some')
    suspects(1)
    clock.advance(1_000)
    assert.equal(trialsIn(asked), 2)
  })

  it('wait a minute where no process could be started for one', () => {
    const { clock, asked, suspects, upkeep } = upkeepOf()
    // The commits that took it and gave it back have said that there is one, before and after.
    suspects(1)
    upkeep.receive({ type: 'trial-postponed' })
    suspects(1)
    clock.advance(59_999)
    assert.equal(trialsIn(asked), 0)
    clock.advance(1)
    assert.equal(trialsIn(asked), 1)
    suspects(1)
    clock.advance(200)
    assert.equal(trialsIn(asked), 2, 'and only that once')
  })

  it('do not begin where there is no suspect, and tell what went wrong', async () => {
    const { clock, asked, errors, suspects, answers } = upkeepOf()
    suspects(0)
    clock.advance(2_000)
    assert.equal(trialsIn(asked), 0)
    answers.push(new Error('journal down'))
    suspects(1)
    clock.advance(1_000)
    await turn()
    assert.match(String(errors[0]), /journal down/)
  })
})

describe('an upkeep that has stopped', () => {
  it('leaves no timer behind and sets none any more', async () => {
    const clock = new ManualClock(START)
    const { upkeep, nextDueAt, suspects } = upkeepOn(clock)
    nextDueAt(START + 100)
    suspects(1)
    upkeep.stop()
    assert.equal(clock.nextTimerAt, undefined)
    nextDueAt(START + 200)
    suspects(1)
    upkeep.receive({ type: 'trial-postponed' })
    assert.equal(clock.nextTimerAt, undefined)
  })

  it('does not sweep again when one was under way', async () => {
    const { clock, upkeep, asked } = upkeepOf(swept(500, 'yes'))
    clock.advance(5_000)
    upkeep.stop()
    await turn()
    assert.deepEqual([asked.length, clock.nextTimerAt], [1, undefined])
  })

  it('ends as an actor does', async () => {
    const child = spawn(upkeepOf().upkeep, { id: 'upkeep' })
    await child.started
    child.stop()
    assert.deepEqual(await child.exited, { type: 'stopped' })
  })
})
