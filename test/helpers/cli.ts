import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from './scratch.ts'
import { whenFile } from './when-file.ts'

export const millrace = fileURLToPath(new URL('../../adapters/cli/main.js', import.meta.url))
export const cliTasks = fileURLToPath(new URL('../fixtures/cli-tasks.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A command that runs in a process of its own. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export interface CliOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export function startCli(args: readonly string[], { input, env = {}, cwd = process.cwd() }: CliOptions = {}): Running {
  const child = spawn(process.execPath, [millrace, ...args], { env: { ...process.env, ...env }, cwd, stdio: 'pipe' })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // A command that refuses its options ends without reading.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input ?? '')
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, out, err }))
  })
  return { child, ended }
}

/** Runs a command to its end. */
export function cli(args: readonly string[], options?: CliOptions): Promise<Ended> {
  return startCli(args, options).ended
}

/** A folder that is gone when the tests of the file are over, and what they have started with them. */
export function scratch(_test: unknown): string {
  return scratchFolder()
}

/** Resolves when a file has more bytes than that; `false` when `over` comes first. */
export function grown(path: string, bytes: number, over: Promise<unknown>): Promise<boolean> {
  return whenFile(path, () => existsSync(path) && statSync(path).size > bytes, over)
}

/** Lines of input, one for each number from one to the other. */
export function numberLines(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, at) => `${JSON.stringify({ n: from + at })}\n`).join('')
}

/** A tasks module of its own in a folder: what it exports, with everything of Millrace at hand as `m`. */
export function tasksModule(folder: string, exports: string): string {
  const file = join(folder, 'tasks.mjs')
  const millraceIndex = new URL('../../runtime/index.js', import.meta.url).href
  writeFileSync(file, `import * as m from ${JSON.stringify(millraceIndex)}\n${exports}\n`)
  return file
}
