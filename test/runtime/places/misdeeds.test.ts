import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { RuntimeEvents } from '../../../lib/events.ts'
import type { Runtime } from '../../../runtime/index.ts'
import { type Deed, onLoop, onThreads, onTier } from '../../fixtures/misdeed-tasks.ts'
import type { Misdeed } from '../../fixtures/misdeeds.ts'
import { assertEndOf, misdeedNames } from '../../helpers/misdeed-ends.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

/** For longer: MILLRACE_MISDEED_SECONDS=600 npm test -- misdeeds */
const SECONDS = Number(process.env['MILLRACE_MISDEED_SECONDS'] ?? 8)
const RUNS = { numRuns: 1_000_000, interruptAfterTimeLimit: SECONDS * 1_000 }
const LIMIT = { timeout: SECONDS * 1_000 + 280_000 }
const TIMEOUT = { timeoutMs: 60_000 }

const lateErrors: Partial<Record<Deed, RegExp>> = {
  'reject later': /^late rejection$/,
  'throw later': /^late throw$/,
  'exit later': /^MILLRACE_THREAD_EXIT/,
}

/** On the service's own loop whatever ends a thread ends the service. */
const ENDS_A_PROCESS = /^exit|^abort$|later$|port|stdin/

const tasks = { default: onTier, threads: onThreads, loop: onLoop }

interface Job {
  readonly place: keyof typeof tasks
  readonly how: Deed
}

const jobIn = (place: Job['place'], misdeeds: readonly Misdeed[]) =>
  fc.record({ place: fc.constant(place), how: fc.constantFrom<Deed[]>('nap', 'nap', 'nap', ...misdeeds) })

const harmless = misdeedNames.filter((how) => !ENDS_A_PROCESS.test(how))
const job = fc.oneof(jobIn('default', misdeedNames), jobIn('threads', misdeedNames), jobIn('loop', harmless))
const sequences = fc.array(job, { minLength: 10, maxLength: 25 })

type Stray = Parameters<RuntimeEvents['job.stray']>[0]

/** All jobs by their ids, and what was heard of them besides their ends. */
class Attributions {
  readonly #jobs = new Map<string, Job>()
  readonly #strays: Stray[] = []
  sequences = 0

  constructor(runtime: Runtime) {
    runtime.on('job.stray', (stray) => void this.#strays.push(stray))
  }

  get jobs(): number {
    return this.#jobs.size
  }

  get strays(): number {
    return this.#strays.length
  }

  add(id: string, job: Job): void {
    this.#jobs.set(id, job)
  }

  /** Fails if one is told of a job that has not done it. */
  check(): void {
    for (const { id, place, error } of this.#strays) {
      const job = id === undefined ? undefined : this.#jobs.get(id)
      assert.ok(job !== undefined, `of no job: ${error.message} in ${place}`)
      assert.equal(place, job.place, error.message)
      assert.match(error.message, lateErrors[job.how] ?? /^nothing of the kind$/, `of ${id}, which did: ${job.how}`)
    }
  }
}

async function play(runtime: Runtime, attributions: Attributions, sequence: readonly Job[]): Promise<void> {
  const handles = await Promise.all(sequence.map(({ place, how }) => runtime.enqueue(tasks[place], { how })))
  handles.forEach(({ id }, at) => attributions.add(id, sequence[at] as Job))
  await Promise.all(
    handles.map(async (handle, at) => {
      const { how } = sequence[at] as Job
      const result = handle.result(TIMEOUT)
      if (how === 'nap') assert.equal(await result, 'slept')
      else await assertEndOf(result, how)
    }),
  )
  attributions.sequences++
  attributions.check()
}

describe('handlers that misbehave, in any order and in all kinds of places at once', () => {
  it('end as what they did, and what they leave behind is told as theirs', LIMIT, async (test) => {
    const runtime = await startRuntime(test, {
      tasks: new URL('../../fixtures/misdeed-tasks.js', import.meta.url),
      tiers: { default: { threads: 2 } },
      lanes: { threads: { concurrency: 10, threads: 1 }, loop: { concurrency: 10 } },
    })
    const attributions = new Attributions(runtime)
    const property = fc.asyncProperty(sequences, (sequence) => play(runtime, attributions, sequence))
    // A sequence that fails does so by what the others have left behind: there is nothing to be made smaller.
    await fc.assert(property, { ...RUNS, endOnFailure: true })
    await runtime.stop()
    test.diagnostic(
      `${attributions.sequences} sequences, ${attributions.jobs} jobs, ${attributions.strays} left something behind`,
    )
    attributions.check()
    assert.ok(attributions.strays > 0, 'nobody has left anything behind')
  })
})
