import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatJobId } from '../../lib/job.ts'
import { tier } from '../fixtures/victim-places.ts'
import { NUMBERS_AT_ONCE } from '../../runtime/places/number-supply.ts'
import { ledgerFaults, type LedgerVerdict, verdictOf } from '../helpers/kill-verdict.ts'

const id = (number: number) => formatJobId('killed', number)
const [JOB, OTHER, CHILD] = [id(1), id(2), id(500)]

const start = (job: string, pid = 7, attempt = 1) => `start ${job} ${pid} ${attempt} thread 1000 .`
const end = (job: string, pid = 7) => `end ${job} ${pid} 1 .`
const settled = (job: string) => `settled ${job} 7 .`
const whole = (job: string) => [`ack ${job} .`, start(job), end(job), settled(job)]

function verdictIn(lines: readonly string[], deadLeft: readonly string[] = []): LedgerVerdict {
  return verdictOf(
    lines.map((line) => line.split(' ')),
    deadLeft,
  )
}

/** The faults that are found, without their numbers. */
function faultsIn(lines: readonly string[], deadLeft?: readonly string[]): readonly string[] {
  const verdict = verdictIn(lines, deadLeft)
  return ledgerFaults.filter((fault) => verdict[fault] > 0)
}

describe('the ledger of a service that was killed', () => {
  it('has no fault where each job runs once, or again after a kill', () => {
    assert.deepEqual(faultsIn([...whole(JOB), ...whole(OTHER)]), [])
    const again = [`ack ${JOB} .`, start(JOB, 7), start(JOB, 8), end(JOB, 8), settled(JOB)]
    assert.deepEqual([faultsIn(again), verdictIn(again).ranTwice], [[], 1])
  })

  it('finds what was acknowledged and has not run to an end', () => {
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB)]), ['lost'])
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB), `end ${JOB} 7 1`]), ['lost'], 'a torn line')
  })

  it('finds a job that begins again after its end was told', () => {
    assert.deepEqual(faultsIn([...whole(JOB), start(JOB, 8)]), ['afterSettled'])
  })

  it('finds one that begins twice in one life as the same attempt', () => {
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB), start(JOB), end(JOB), settled(JOB)]), ['overlaps'])
  })

  it('finds one that a kill has cost an attempt', () => {
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB, 7), start(JOB, 8, 2), end(JOB, 8)]), ['charged'])
  })

  it('finds the child of an attempt that was not committed, where it runs', () => {
    const cut = [`ack ${JOB} .`, start(JOB), `child ${JOB} ${CHILD} .`, start(JOB, 8), end(JOB, 8), settled(JOB)]
    assert.deepEqual(faultsIn(cut), [], 'dropped with its attempt')
    assert.deepEqual(faultsIn([...cut, start(CHILD, 8), end(CHILD, 8)]), ['ghosts'])
    const committed = [`ack ${JOB} .`, start(JOB), `child ${JOB} ${CHILD} .`, end(JOB), settled(JOB)]
    assert.deepEqual(faultsIn(committed), ['lost'])
    assert.deepEqual(faultsIn([...committed, start(CHILD), end(CHILD)]), [])
  })

  it('finds a job that nobody was told of, and that has not run although a later one has', () => {
    const at = (numbers: readonly number[]) => numbers.flatMap((number) => whole(id(number)))
    assert.deepEqual(faultsIn(at([1, 2, 4])), ['gaps'])
    assert.deepEqual(faultsIn(at([3, 1, 2])), [])
    assert.deepEqual(faultsIn(at([1, 2 + NUMBERS_AT_ONCE])), [], 'what a thread was given for children')
    assert.deepEqual(faultsIn(at([1, 3 + NUMBERS_AT_ONCE])), ['gaps'])
    assert.deepEqual(faultsIn(at([1, 2, 2 ** 20 + 1])), [], 'the next life')
  })

  it('finds a journal that a start has found shorter than it was', () => {
    assert.deepEqual(faultsIn([...whole(JOB), 'error MILLRACE_JOURNAL_TAIL_LOST .']), ['shortened'])
  })

  it('counts trials that have ended before the last start', () => {
    const tried = [
      ...whole(JOB),
      'opening 7 1 .',
      `tried ${JOB} cleared .`,
      'opening 8 2 .',
      `tried ${OTHER} cleared .`,
    ]
    assert.equal(verdictIn(tried).tried, 1)
  })

  it('finds what is dead, told or not, and does not call it lost', () => {
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB), `dead ${JOB} 7 .`]), ['dead'])
    assert.deepEqual(faultsIn([`ack ${JOB} .`, start(JOB)], [JOB]), ['dead'])
  })

  it('finds a job that begins again and was not under way at the kill', () => {
    const first = [`ack ${JOB} .`, start(JOB, 7), end(JOB, 7)]
    const again = [start(JOB, 8), end(JOB, 8), settled(JOB)]
    assert.deepEqual(faultsIn([...first, `held ${JOB} 7 1 .`, 'killed 7 .', ...again]), [])
    assert.deepEqual(faultsIn([...first, `held ${OTHER} 7 1 .`, 'killed 7 .', ...again]), ['unclaimed'])
    assert.deepEqual(faultsIn([...first, ...again]), [], 'it was not looked at what the kill has left')
  })

  it('finds one that has begun more often than it was claimed', () => {
    const kill = (pid: number, claims: number) => [`held ${JOB} ${pid} ${claims} .`, `killed ${pid} .`]
    const twice = (claims: number) => [`ack ${JOB} .`, start(JOB, 7), ...kill(7, 1), start(JOB, 8), ...kill(8, claims)]
    const last = [start(JOB, 9), end(JOB, 9), settled(JOB)]
    assert.deepEqual(faultsIn([...twice(2), ...last]), [])
    assert.deepEqual(faultsIn([...twice(1), ...last]), ['unclaimed'])
  })

  const many = (count: number) => Array.from({ length: count }, (_, at) => id(at + 1))
  const rerun = (jobs: readonly string[]) => jobs.flatMap((job) => [start(job, 8), end(job, 8)])

  it('finds more jobs that were cut short than run at once', () => {
    const cut = (count: number) => many(count).flatMap((job) => [`ack ${job} .`, start(job, 7)])
    assert.deepEqual(faultsIn([...cut(tier.threads), ...rerun(many(tier.threads))]), [])
    assert.deepEqual(faultsIn([...cut(tier.threads + 1), ...rerun(many(tier.threads + 1))]), ['beyondRoom'])
  })

  it('finds more jobs that begin again after their end than their place had room for', () => {
    const whole = many(2_000).flatMap((job) => [`ack ${job} .`, start(job, 7), end(job, 7)])
    assert.deepEqual(faultsIn([...whole, ...rerun(many(100))]), [])
    assert.deepEqual(faultsIn([...whole, ...rerun(many(2_000))]), ['beyondRoom'])
  })
})
