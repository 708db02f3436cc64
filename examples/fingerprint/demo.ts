/**
 * Fingerprints the files below a directory on two threads through `millrace run`, then compares every result with one
 * that is computed here by other code. `--help` says how it is used.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { check } from './check.ts'
import { HELP, readOptions } from './options.ts'
import type { Fingerprint } from './tasks.ts'

interface OutcomeLine {
  readonly line: number
  readonly state: string
  readonly result: Fingerprint
}

/** Returns what the process ends with. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(HELP)
    return 0
  }
  const files = await filesBelow(resolve(options.directory), options.mostFiles)
  const outcomes = await runMillrace(files)
  const differences = await compare(files, outcomes)
  report(files, outcomes, differences)
  return differences.length === 0 ? 0 : 1
}

async function filesBelow(root: string, limit: number): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const found = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return found.sort().slice(0, limit)
}

async function runMillrace(paths: readonly string[]): Promise<readonly OutcomeLine[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fingerprint-'))
  try {
    const [input, output] = [join(folder, 'files.ndjson'), join(folder, 'fingerprints.ndjson')]
    await writeFile(input, paths.map((file) => `${JSON.stringify({ file })}\n`).join(''))
    const millrace = fileURLToPath(new URL('../../adapters/cli/main.js', import.meta.url))
    const tasks = fileURLToPath(new URL('./tasks.js', import.meta.url))
    const options = ['--input', input, '--output', output, '--journal', join(folder, 'jobs.db'), '--threads', '2']
    await succeed(process.execPath, [millrace, 'run', tasks, 'file.fingerprint', ...options])
    const text = await readFile(output, 'utf8')
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as OutcomeLine]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function succeed(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((fulfil, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0) fulfil()
      else reject(new Error(`millrace run ended with ${signal ?? code}`))
    })
  })
}

/** Files whose outcome is missing, double, or other than what is found here. */
async function compare(paths: readonly string[], lines: readonly OutcomeLine[]): Promise<string[]> {
  const found = new Map<number, OutcomeLine[]>()
  for (const outcome of lines) found.set(outcome.line, [...(found.get(outcome.line) ?? []), outcome])
  const wrong: string[] = []
  for (const [index, file] of paths.entries()) {
    const own = found.get(index + 1) ?? []
    const expected = JSON.stringify(await check(file))
    if (own.length !== 1 || JSON.stringify(own[0]?.result) !== expected) wrong.push(file)
  }
  return wrong
}

function report(paths: readonly string[], lines: readonly OutcomeLine[], wrong: readonly string[]): void {
  const largest = [...lines].sort((a, b) => b.result.bytes - a.result.bytes).slice(0, 5)
  console.log(`\n${row('LINES', 'BYTES', 'GZIP')}  SHA-256       FILE`)
  for (const { line, result } of largest) {
    const { bytes, gzipBytes, lines: count, sha256 } = result
    console.log(
      `${row(count, bytes, gzipBytes)}  ${sha256.slice(0, 12)}  ${relative(process.cwd(), paths[line - 1] ?? '')}`,
    )
  }
  const sum = (of: (result: Fingerprint) => number) => lines.reduce((total, { result }) => total + of(result), 0)
  const total = row(
    sum((each) => each.lines),
    sum((each) => each.bytes),
    sum((each) => each.gzipBytes),
  )
  console.log(`${total}  all ${paths.length.toLocaleString('en')} files, of which these are the largest\n`)
  console.log(`${paths.length} files, ${lines.length} fingerprints, ${wrong.length} differences`)
  for (const file of wrong) console.log(`differs: ${file}`)
}

function row(lines: number | string, bytes: number | string, gzipBytes: number | string): string {
  return `${cell(lines, 11)} ${cell(bytes, 13)} ${cell(gzipBytes, 13)}`
}

function cell(value: number | string, width: number): string {
  return value.toLocaleString('en').padStart(width)
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 1
})
