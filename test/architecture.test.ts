import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Rules that a reviewer should not have to look for. Each is a function of a file; each is shown to catch a breach. */

interface Source {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
}

/** Says what is wrong with a file: one line each. */
type Rule = (source: Source) => readonly string[]

interface Import {
  readonly target: string
  /** An erased import costs nothing at run time and ties no modules together when they load. */
  readonly kind: 'value' | 'erased'
}

function importsOf({ path, text }: Source): readonly Import[] {
  const imports: Import[] = []
  const add = (specifier: string, kind: Import['kind']) => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier
    imports.push({ target, kind })
  }
  for (const [, clause = '', specifier = ''] of text.matchAll(
    /^(?:import|export)\s(?:([^'"`;]*?)\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )) {
    add(specifier, /^type\b/.test(clause) ? 'erased' : 'value')
  }
  for (const [, type, specifier = ''] of text.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]/g)) {
    add(specifier, type === undefined ? 'value' : 'erased')
  }
  return imports
}

// --- who may import whom ---------------------------------------------------------------------------------------------

/** Modules of Node that neither read nor write anything. */
const PURE_BUILTINS = ['node:async_hooks', 'node:buffer', 'node:util/types']

/** What all stages speak; it imports no stage but the journal. */
const SHARED = [
  'messages',
  'config',
  'across-config',
  'backoffs-config',
  'modules-config',
  'promotion-config',
  'catalog',
  'emit',
  'sibling-url',
].map((name) => `runtime/${name}.ts`)

/** What puts the stages together, and so knows them all. */
const WIRING = ['runtime/supervise/', 'runtime/control/', 'runtime/testing/']

const PUBLIC_ENTRIES = ['runtime/index.ts', 'runtime/cli-support.ts', 'runtime/testing/index.ts']

/** What an adapter may import that is neither ours nor Node's: the driver of what it touches. */
const DRIVERS: Readonly<Record<string, readonly string[]>> = { cli: [], memory: [], rabbitmq: ['amqplib'] }

/** Adapters that the command line loads when somebody names one. */
const LOADED_BY_NAME = ['adapters/rabbitmq/index.ts']

/** Packages that one folder wraps for everybody else. */
const WRAPPED: Readonly<Record<string, string>> = {
  'better-sqlite3': 'runtime/journal/',
  piscina: 'runtime/places/',
  comlink: 'runtime/journal/',
}

/** What the suite for brokers, which others run in their own repositories, may need of Node. */
const SUITE_BUILTINS = ['node:assert/strict', 'node:test']

function isWiring(path: string): boolean {
  if (SHARED.includes(path)) return false
  return posix.dirname(path) === 'runtime' || WIRING.some((folder) => path.startsWith(folder))
}

function mayImport(path: string, target: string): boolean {
  const within = (...folders: readonly string[]) => folders.some((folder) => target.startsWith(folder))
  const [area, part] = path.split('/')
  const isOurs = within('lib/', 'runtime/', 'adapters/')
  const wrapper = WRAPPED[target]
  if (wrapper !== undefined) return path.startsWith(wrapper)
  if (area === 'lib') return within('lib/') || PURE_BUILTINS.includes(target) || target === 'eventemitter3'
  if (area === 'conformance') return within('lib/', 'conformance/') || SUITE_BUILTINS.includes(target)
  if (area === 'adapters') {
    const drivers = DRIVERS[part as string] ?? []
    if (within('node:', 'lib/', `adapters/${part}/`) || drivers.includes(target)) return true
    return part === 'cli' && (PUBLIC_ENTRIES.includes(target) || LOADED_BY_NAME.includes(target))
  }
  if (!isOurs) return within('node:') || target === 'eventemitter3'
  if (isWiring(path)) return !within('adapters/')
  if (SHARED.includes(path)) return within('lib/', 'runtime/journal/') || SHARED.includes(target)
  return within('lib/', 'runtime/journal/', `runtime/${part}/`) || SHARED.includes(target)
}

const importsFollowTheFolders: Rule = (source) =>
  importsOf(source)
    .filter(({ target }) => !mayImport(source.path, target))
    .map(({ target }) => `${source.path} imports ${target}`)

/** An entry in CommonJS does nothing but import the one that it stands for. */
const entriesOfThreadsAreNotImported: Rule = (source) =>
  importsOf(source)
    .filter(() => !source.path.endsWith('-entry.cts'))
    .filter(({ target, kind }) => kind === 'value' && /(?:thread|process)-main\.ts$/.test(target))
    .map(({ target }) => `${source.path} imports ${target}, which runs at import: start it as a thread or a process`)

function cyclesOf(sources: readonly Source[]): readonly string[] {
  const targets = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ target, kind }) => (kind === 'value' ? [target] : [])),
    ]),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (done.has(path) || trail.includes(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  return cycles
}

// --- what a file may hold --------------------------------------------------------------------------------------------

/** The code alone: comments, texts and patterns become blanks of the same length, lines stay where they are. */
function codeOf(text: string): string {
  const literal =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(,=:[!&|?{}\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\//g
  return text.replace(literal, (found) => found.replace(/[^\n]/g, ' '))
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

const MAX_FUNCTION_LINES = 50
const CONTROL = /\b(?:if|for|while|switch|catch|with)(?:\s+await)?\s*$/

/** Whether the brace at `open` begins the body of a function, by what stands before it. */
function opensFunction(code: string, open: number): boolean {
  const before = code.slice(0, open).trimEnd()
  if (before.endsWith('=>')) return true
  const signature = /\)(?:\s*:[^{}()=;]*)?$/.exec(before)
  if (signature === null) return false
  let depth = 0
  for (let at = signature.index; at >= 0; at--) {
    if (before[at] === ')') depth++
    if (before[at] === '(' && --depth === 0) return !CONTROL.test(before.slice(0, at))
  }
  return false
}

const functionsAreShort: Rule = ({ path, text }) => {
  const code = codeOf(text)
  const open: { readonly at: number; readonly isFunction: boolean }[] = []
  const long: string[] = []
  let returnTypeEndedAt = -1
  for (let at = 0; at < code.length; at++) {
    if (code[at] === '{') {
      const afterReturnType = returnTypeEndedAt >= 0 && code.slice(returnTypeEndedAt + 1, at).trim() === ''
      open.push({ at, isFunction: afterReturnType || opensFunction(code, at) })
    }
    if (code[at] !== '}') continue
    const block = open.pop()
    if (block?.isFunction !== true) continue
    returnTypeEndedAt = at
    const lines = lineAt(code, at) - lineAt(code, block.at) + 1
    if (lines > MAX_FUNCTION_LINES) long.push(`${path}:${lineAt(code, block.at)} has a function of ${lines} lines`)
  }
  return long
}

const filesAreShort: Rule = ({ path, text }) => {
  const most = path === 'runtime/runtime.ts' ? 200 : 350
  const lines = text.trimEnd().split('\n').length
  return lines > most ? [`${path} has ${lines} lines, expected at most ${most}`] : []
}

const CLOCKS = ['lib/clock.ts', 'lib/manual-clock.ts', 'runtime/testing/life-clock.ts']
/** `eventLoopUtilization` tells how busy a loop was, and not what time it is. */
const READS_CLOCK =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\)|\bperformance\b(?!\.eventLoopUtilization\b)|\bAbortSignal\.timeout\b|\bprocess\.(?:hrtime|uptime)\b|(?:\bglobalThis\.|(?<![.\w#]))set(?:Timeout|Interval|Immediate)\(/g

/** Of all that measures time it only counts. */
const HISTOGRAM = /^import \{ createHistogram, type RecordableHistogram \} from 'node:perf_hooks'$/m

const onlyTheClockTellsTime: Rule = ({ path, text }) => {
  if (CLOCKS.includes(path)) return []
  const timers = importsOf({ path, text: text.replace(HISTOGRAM, '') }).filter(({ target }) =>
    /^node:(?:timers|perf_hooks)/.test(target),
  )
  const code = codeOf(text)
  return [
    ...timers.map(({ target }) => `${path} imports ${target}`),
    ...[...code.matchAll(READS_CLOCK)].map(({ 0: call, index }) => `${path}:${lineAt(code, index)} uses ${call}`),
  ]
}

/** They open a file for a moment, and are no part of a service. */
const TOOLS = ['administer', 'backup', 'doctor', 'mend', 'own-names', 'read-only', 'salvage', 'salvage-rows'].map(
  (name) => `runtime/journal/${name}.ts`,
)

const statementsAreKept: Rule = ({ path, text }) => {
  if (!path.startsWith('runtime/journal/') || path === 'runtime/journal/sqlite.ts' || TOOLS.includes(path)) return []
  const code = codeOf(text)
  return [...code.matchAll(/\.(?:prepare|pragma)\b/g)].map(
    ({ 0: call, index }) =>
      `${path}:${lineAt(code, index)} uses ${call}: sqlite.ts keeps statements, exec sets pragmas`,
  )
}

const nothingIsLeftToDo: Rule = ({ path, text }) =>
  [...text.matchAll(/\b(?:TOD[O]|FIXM[E])\b/g)].map(
    ({ 0: word, index }) => `${path}:${lineAt(text, index)} says ${word}`,
  )

const publicNamesAreListed: Rule = ({ path, text }) =>
  PUBLIC_ENTRIES.includes(path) && /^export\s+(?:type\s+)?\*/m.test(text) ? [`${path} exports *`] : []

// --- the repository --------------------------------------------------------------------------------------------------

function findRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findRoot(dirname(from))
}

const root = findRoot(dirname(fileURLToPath(import.meta.url)))

function sourcesUnder(...folders: readonly string[]): readonly Source[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.c?[jt]s$/.test(path) && !path.includes('node_modules/'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const shipped = sourcesUnder('lib', 'runtime', 'adapters', 'conformance')
const everything = [...shipped, ...sourcesUnder('bench', 'examples', 'scripts', 'test')]

function planted(path: string, ...lines: readonly string[]): Source {
  return { path, text: lines.join('\n') }
}

function catches(rule: Rule, ...sources: readonly Source[]): void {
  for (const source of sources)
    assert.notDeepEqual(rule(source), [], `not caught: ${source.path}: ${source.text.slice(0, 200)}`)
}

function accepts(rule: Rule, ...sources: readonly Source[]): void {
  for (const source of sources) assert.deepEqual(rule(source), [])
}

describe('the architecture', () => {
  it('is read from the sources', () => {
    assert.ok(shipped.length > 10)
    assert.ok(everything.some(({ path }) => path === 'test/architecture.test.ts'))
  })

  it('lets imports point one way', () => {
    catches(
      importsFollowTheFolders,
      planted('lib/task.ts', "import { a } from '../runtime/messages.ts'"),
      planted('lib/task.ts', "import { readFileSync } from 'node:fs'"),
      planted('lib/task.ts', "import type { Piscina } from 'piscina'"),
      planted('runtime/settle/settler.ts', "import type { A } from '../dispatch/dispatcher.ts'"),
      planted('runtime/settle/settler.ts', 'import {', '  a,', "} from '../places/runner.ts'"),
      planted('runtime/settle/settler.ts', "const a = await import('../places/runner.ts')"),
      planted('runtime/settle/settler.ts', "import { boot } from '../boot.ts'"),
      planted('runtime/settle/settler.ts', "import Database from 'better-sqlite3'"),
      planted('runtime/settle/settler.ts', "import amqp from 'amqplib'"),
      planted('runtime/journal/thread.ts', "import { Piscina } from 'piscina'"),
      planted('adapters/cli/main.ts', "import { connect } from 'amqplib'"),
      planted('conformance/broker.ts', "import { memory } from '../adapters/memory/index.ts'"),
      planted('conformance/broker.ts', "import { scratchFolder } from '../test/helpers/scratch.ts'"),
      planted('conformance/broker.ts', "import fc from 'fast-check'"),
      planted('runtime/messages.ts', "import type { A } from './places/runner.ts'"),
      planted('runtime/runtime.ts', "import { a } from '../adapters/memory/index.ts'"),
      planted('adapters/rabbitmq/index.ts', "export { a } from '../memory/index.ts'"),
      planted('adapters/rabbitmq/index.ts', "import { a } from '../../runtime/index.ts'"),
      planted('adapters/cli/main.ts', "import { a } from '../../runtime/desk.ts'"),
      planted('adapters/cli/main.ts', "import { a } from '../rabbitmq/cluster.ts'"),
      planted('adapters/memory/index.ts', "import { a } from '../rabbitmq/index.ts'"),
      planted('adapters/memory/index.ts', "import amqp from 'amqplib'"),
      planted('adapters/rabbitmq/index.ts', "import { EventEmitter } from 'eventemitter3'"),
      planted('adapters/rabbitmq/index.ts', "import { scratchFolder } from '../../test/helpers/scratch.ts'"),
      planted('adapters/rabbitmq/index.ts', "import { suite } from '../../conformance/index.ts'"),
      planted('adapters/statsd/index.ts', "import { StatsD } from 'hot-shots'"),
    )
    accepts(
      importsFollowTheFolders,
      planted('lib/events.ts', "import { EventEmitter } from 'eventemitter3'", "import type { A } from './job.ts'"),
      planted('runtime/settle/settler.ts', "import { a } from '../journal/client.ts'", "import '../messages.ts'"),
      planted('runtime/supervise/tree.ts', "import { a } from '../places/runner.ts'"),
      planted('adapters/rabbitmq/index.ts', "import amqp from 'amqplib'", "import { a } from '../../lib/broker.ts'"),
      planted('adapters/rabbitmq/link.ts', "import { Readable } from 'node:stream'", "import './options.ts'"),
      planted('adapters/cli/main.ts', "import { a } from '../../runtime/index.ts'"),
      planted('conformance/broker.ts', "import { it } from 'node:test'", "import { a } from '../lib/broker.ts'"),
      planted('runtime/journal/a.ts', '  throw new Error("write import { Database } from \'millrace\'")'),
    )
    assert.deepEqual(shipped.flatMap(importsFollowTheFolders), [])
  })

  it('starts the entries of threads, and imports none', () => {
    catches(
      entriesOfThreadsAreNotImported,
      planted('runtime/places/pool.ts', "import './thread-main.ts'"),
      planted('runtime/places/pool.ts', "import './process-main.ts'"),
    )
    accepts(
      entriesOfThreadsAreNotImported,
      planted('runtime/places/pool.ts', "import type { A } from './thread-main.ts'"),
      planted('runtime/places/thread-entry.cts', "import './thread-main.ts'"),
    )
    assert.deepEqual(everything.flatMap(entriesOfThreadsAreNotImported), [])
  })

  it('has no import cycles', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => `lib/${name}.ts`) as [string, string, string]
    const ring = [
      planted(a, "import './b.ts'"),
      planted(b, "export { x } from './c.ts'"),
      planted(c, "import { y } from './a.ts'"),
    ]
    assert.deepEqual(cyclesOf(ring), [`${a} -> ${b} -> ${c} -> ${a}`])
    assert.deepEqual(cyclesOf([planted(a, "import './b.ts'"), planted(b, "import type { A } from './a.ts'")]), [])
    assert.deepEqual(cyclesOf(shipped), [])
  })

  it('has files that can be read at once', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}`)
    catches(filesAreShort, planted('lib/a.ts', ...lines(351)), planted('runtime/runtime.ts', ...lines(201)))
    accepts(filesAreShort, planted('lib/a.ts', ...lines(350), ''), planted('runtime/runtime.ts', ...lines(200), ''))
    assert.deepEqual(shipped.flatMap(filesAreShort), [])
  })

  it('has functions that can be read at once', () => {
    const body = (count: number) => Array.from({ length: count }, () => "  a('{') // }")
    catches(
      functionsAreShort,
      planted('lib/a.ts', 'export function a(b: string): number {', ...body(49), '}'),
      planted('lib/a.ts', 'function a(): { b: string } {', ...body(49), '}'),
      planted('lib/a.ts', 'function a(', '  b: string,', '): Promise<void> {', ...body(49), '}'),
      planted('lib/a.ts', 'const a = (b) => {', ...body(49), '}'),
      planted('lib/a.ts', 'class A {', '  async #a(b = c(5)) {', ...body(49), '  }', '}'),
    )
    accepts(
      functionsAreShort,
      planted('lib/a.ts', 'function a(b = /[{/]{/) {', ...body(48), '}'),
      planted(
        'lib/a.ts',
        'class A {',
        ...body(99),
        '}',
        'const b = {',
        ...body(99),
        '}',
        'interface C {',
        ...body(99),
        '}',
      ),
      planted('lib/a.ts', 'if (a(5)) {', ...body(99), '}'),
    )
    assert.deepEqual(shipped.flatMap(functionsAreShort), [])
  })

  it('asks one place for the time', () => {
    const reads = [
      'Date.now()',
      'new Date()',
      'performance.now()',
      'performance.timeOrigin',
      "performance.mark('a')",
      'const { now } = performance',
      'AbortSignal.timeout(5)',
      'process.hrtime.bigint()',
      'globalThis.setTimeout(a, 5)',
    ]
    const timers = ['setTimeout(a, 5)', 'await new Promise((a) => setImmediate(a))', 'const a = setInterval(b)']
    catches(onlyTheClockTellsTime, ...[...reads, ...timers].map((line) => planted('runtime/places/a.ts', line)))
    catches(onlyTheClockTellsTime, planted('lib/a.ts', "import { setTimeout as sleep } from 'node:timers/promises'"))
    accepts(
      onlyTheClockTellsTime,
      planted('lib/clock.ts', 'Date.now()'),
      planted('runtime/places/a.ts', 'performance.eventLoopUtilization().active'),
      planted('lib/a.ts', 'new Date(at)', 'clock.setImmediate(a)', 'this.#clock.now()', "'Date.now()' // Date.now()"),
    )
    assert.deepEqual(shipped.flatMap(onlyTheClockTellsTime), [])
  })

  it('keeps the statements of a journal for the life of its connection', () => {
    catches(
      statementsAreKept,
      planted('runtime/journal/a.ts', "ledger.db.prepare('SELECT 1').get()"),
      planted('runtime/journal/a.ts', "db.pragma('synchronous = FULL')"),
      planted('runtime/journal/a.ts', 'const rows = db', '  .prepare<[], number>(sql)'),
    )
    accepts(
      statementsAreKept,
      planted('runtime/journal/a.ts', "prepare(db, 'SELECT 1').get()"),
      planted('runtime/journal/sqlite.ts', 'db.prepare(sql)'),
    )
    assert.deepEqual(shipped.flatMap(statementsAreKept), [])
  })

  it('is finished', () => {
    for (const word of ['TO' + 'DO', 'FIX' + 'ME'])
      catches(nothingIsLeftToDo, planted('test/a.ts', `// ${word}: later`))
    assert.deepEqual(everything.flatMap(nothingIsLeftToDo), [])
  })

  it('lists its public names', () => {
    catches(publicNamesAreListed, planted('runtime/index.ts', "export * from './runtime.ts'"))
    catches(publicNamesAreListed, planted('runtime/testing/index.ts', "export type * from './a.ts'"))
    accepts(publicNamesAreListed, planted('runtime/index.ts', "export { a } from './runtime.ts'"))
    assert.deepEqual(shipped.flatMap(publicNamesAreListed), [])
  })
})
