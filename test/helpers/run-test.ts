import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from './scratch.ts'
import { unmountBelow } from './small-disk.ts'
import { TOLD_FD, type ToldTest } from './tell-tests.ts'

/** What became of a test that was run by its name. */
export type RanTest =
  | { readonly result: 'passed'; readonly tookMs: number }
  /** Itself, and not only its file: `how` says by what. */
  | { readonly result: 'failed'; readonly how: string }
  | { readonly result: 'not run'; readonly why: string }

/** A file that has not come to the test by then never will. */
const BEGIN_MS = 30_000
/** For hooks and threads, once the test is over; where a thread hangs, a process never ends by itself. */
const END_MS = 5_000

/** Runs the tests of a file that have this in their name, in a process of their own, and gives them so long. */
export async function runTest(path: string, name: string, limitMs: number): Promise<RanTest> {
  return (await runTests(path, [name], limitMs)).get(name) as RanTest
}

/** The same of several names, one after another in one process: what became of each. */
export function runTests(
  path: string,
  names: readonly string[],
  limitMs: number,
): Promise<ReadonlyMap<string, RanTest>> {
  // What is killed leaves its folders and file systems behind.
  const folder = scratchFolder()
  const child = startTests(path, names, folder)
  let output = ''
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const courses = names.map((name) => new Course(name))
  const kill = () => process.kill(-(child.pid as number), 'SIGKILL')
  const leftMs = () => {
    if (courses.some(({ isRunning }) => isRunning)) return limitMs
    return courses.every(({ hasBegun }) => hasBegun) ? END_MS : BEGIN_MS
  }
  let limit = setTimeout(kill, BEGIN_MS)
  createInterface({ input: child.stdio[TOLD_FD] as Readable }).on('line', (line) => {
    const told = JSON.parse(line) as ToldTest
    const changed = courses.filter((course) => course.heard(told) === 'changed')
    if (changed.length === 0) return
    clearTimeout(limit)
    limit = setTimeout(kill, leftMs())
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      unmountBelow(folder)
      const how = `its process ended by ${signal ?? `code ${code}`}`
      resolve(new Map(courses.map((course) => [course.name, course.ended(how, output)])))
    })
  })
}

function startTests(path: string, names: readonly string[], folder: string): ChildProcess {
  // The runner would otherwise take itself for a child of the one that runs this file.
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  const reporter = fileURLToPath(new URL('./tell-tests.js', import.meta.url))
  const patterns = names.map((name) => `--test-name-pattern=${name}`)
  const runner = fileURLToPath(new URL('./one-file.js', import.meta.url))
  const options = [`--test-reporter=${reporter}`, ...patterns, '--test-force-exit', runner, path]
  const env = { ...rest, TMPDIR: folder }
  return spawn(process.execPath, options, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
}

/** What was told of the tests that one name means; suites and files have names too. */
class Course {
  readonly name: string
  readonly #meant: RegExp
  readonly #running = new Set<string>()
  readonly #failed: string[] = []
  #status: 'not begun' | 'begun' = 'not begun'
  #tookMs = 0

  constructor(name: string) {
    this.name = name
    this.#meant = new RegExp(name)
  }

  get isRunning(): boolean {
    return this.#running.size > 0
  }

  get hasBegun(): boolean {
    return this.#status === 'begun'
  }

  heard(told: ToldTest): 'as before' | 'changed' {
    if (!this.#meant.test(told.name)) return 'as before'
    if (told.type === 'began') {
      this.#status = 'begun'
      this.#running.add(told.name)
      return 'changed'
    }
    this.#running.delete(told.name)
    if (told.type === 'failed') this.#failed.push(`${told.name}: ${told.how}`)
    else this.#tookMs = Math.max(this.#tookMs, told.tookMs)
    return 'changed'
  }

  /** What was still running when its process ended has failed by that: it hung, or has taken its process down. */
  ended(how: string, output: string): RanTest {
    if (this.#status === 'not begun') return { result: 'not run', why: `${how}; ${output}` }
    const failed = [...this.#failed, ...[...this.#running].map((name) => `${name}: ${how}`)]
    if (failed.length > 0) return { result: 'failed', how: failed.join('; ') }
    return { result: 'passed', tookMs: this.#tookMs }
  }
}
