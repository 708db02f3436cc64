import { spawn } from 'node:child_process'
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
export function runTest(path: string, name: string, limitMs: number): Promise<RanTest> {
  // The runner would otherwise take itself for a child of the one that runs this file.
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  // What is killed leaves its folders and file systems behind.
  const folder = scratchFolder()
  const reporter = fileURLToPath(new URL('./tell-tests.js', import.meta.url))
  const options = [`--test-reporter=${reporter}`, `--test-name-pattern=${name}`, '--test-force-exit', path]
  const env = { ...rest, TMPDIR: folder }
  const child = spawn(process.execPath, options, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const told = new Course(name)
  const kill = () => process.kill(-(child.pid as number), 'SIGKILL')
  let limit = setTimeout(kill, BEGIN_MS)
  createInterface({ input: child.stdio[TOLD_FD] as Readable }).on('line', (line) => {
    if (told.heard(JSON.parse(line) as ToldTest) === 'as before') return
    clearTimeout(limit)
    limit = setTimeout(kill, told.isRunning ? limitMs : END_MS)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      unmountBelow(folder)
      resolve(told.ended(`its process ended by ${signal ?? `code ${code}`}`, output))
    })
  })
}

/** What was told of the tests that are meant; suites and files have names too. */
class Course {
  readonly #meant: RegExp
  readonly #running = new Set<string>()
  readonly #failed: string[] = []
  #status: 'not begun' | 'begun' = 'not begun'
  #tookMs = 0

  constructor(name: string) {
    this.#meant = new RegExp(name)
  }

  get isRunning(): boolean {
    return this.#running.size > 0
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
