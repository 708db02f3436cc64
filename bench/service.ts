import { createRuntime, type Runtime } from '../runtime/index.ts'
import type { RuntimeOptions } from '../runtime/config/config.ts'
import { siblingUrl } from '../runtime/sibling-url.ts'
import { INPUT } from './payload.ts'
import { Scratch } from './scratch.ts'
import type { noop, twenty } from './tasks.ts'

/** Tasks whose input is the 200 bytes. */
export type PlainTask = typeof noop | typeof twenty

/** The options that every bench runs with: FULL, a tier of 2 threads, a lane on the service's loop. */
export function serviceOptions(file: string, options: Partial<RuntimeOptions> = {}): RuntimeOptions {
  return {
    tasks: siblingUrl('./tasks', import.meta.url),
    journal: { file },
    tiers: { default: { threads: 2 } },
    lanes: { network: {} },
    // What jobs are measured beside holds this loop for as long as it takes.
    watchdog: { blockedMs: 60_000 },
    ...options,
  }
}

/** A runtime on a journal of its own, which goes with it. */
export class Service implements AsyncDisposable {
  readonly runtime: Runtime
  readonly #scratch: Scratch

  private constructor(runtime: Runtime, scratch: Scratch) {
    this.runtime = runtime
    this.#scratch = scratch
  }

  static async start(options: Partial<RuntimeOptions> = {}): Promise<Service> {
    const scratch = new Scratch()
    return new Service(await createRuntime(serviceOptions(scratch.file('jobs.db'), options)), scratch)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.stop({ graceMs: 0 })
    this.#scratch[Symbol.dispose]()
  }
}

/** So many callers that enqueue one job after another, each awaited, until `jobs` are acknowledged. */
export async function publish(runtime: Runtime, task: PlainTask, jobs: number, publishers: number): Promise<void> {
  let left = jobs
  const publisher = async () => {
    while (left-- > 0) await runtime.enqueue(task, INPUT)
  }
  await Promise.all(Array.from({ length: publishers }, publisher))
}

/** Resolves when so many jobs have succeeded, and rejects with the first that is dead. */
export function succeeded(runtime: Runtime, jobs: number): Promise<void> {
  let left = jobs
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      runtime.off('job.succeeded', count)
      runtime.off('job.dead', fail)
      settle()
    }
    const count = () => {
      if (--left === 0) done(resolve)
    }
    const fail = () => done(() => reject(new Error('a job is dead')))
    runtime.on('job.succeeded', count)
    runtime.on('job.dead', fail)
  })
}

/** Inputs for `enqueueMany`. */
export function* inputs(count: number): Generator<typeof INPUT> {
  for (let at = 0; at < count; at++) yield INPUT
}

/** Milliseconds that the work took. */
export async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}
