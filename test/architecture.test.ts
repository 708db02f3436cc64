import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  cyclesOf,
  entriesOfThreadsAreNotImported,
  filesAreShort,
  functionsAreShort,
  importsFollowTheFolders,
  nothingIsLeftToDo,
  onlyTheClockTellsTime,
  publicNamesAreListed,
  type Rule,
  type Source,
  statementsAreKept,
} from './helpers/rules.ts'

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
      planted('runtime/settle/settler.ts', 'import {', '  a,', "} from '../places/threads/runner.ts'"),
      planted('runtime/settle/settler.ts', "const a = await import('../places/threads/runner.ts')"),
      planted('runtime/settle/settler.ts', "import { boot } from '../boot.ts'"),
      planted('runtime/settle/settler.ts', "import Database from 'better-sqlite3'"),
      planted('runtime/settle/settler.ts', "import amqp from 'amqplib'"),
      planted('runtime/journal/owner/thread.ts', "import { Piscina } from 'piscina'"),
      planted('adapters/cli/main.ts', "import { connect } from 'amqplib'"),
      planted('conformance/broker.ts', "import { memory } from '../adapters/memory/index.ts'"),
      planted('conformance/broker.ts', "import { scratchFolder } from '../test/helpers/scratch.ts'"),
      planted('conformance/broker.ts', "import fc from 'fast-check'"),
      planted('runtime/messages.ts', "import type { A } from './places/threads/runner.ts'"),
      planted('runtime/runtime.ts', "import { a } from '../adapters/memory/index.ts'"),
      planted('adapters/rabbitmq/index.ts', "export { a } from '../memory/index.ts'"),
      planted('adapters/rabbitmq/index.ts', "import { a } from '../../runtime/index.ts'"),
      planted('adapters/cli/main.ts', "import { a } from '../../runtime/desk/desk.ts'"),
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
      planted('runtime/settle/settler.ts', "import { a } from '../journal/owner/client.ts'", "import '../messages.ts'"),
      planted('runtime/supervise/tree.ts', "import { a } from '../places/threads/runner.ts'"),
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
      planted('runtime/places/threads/thread-entry.cts', "import './thread-main.ts'"),
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
      planted('runtime/journal/files/sqlite.ts', 'db.prepare(sql)'),
      planted('runtime/journal/tools/doctor.ts', "db.prepare('SELECT 1').get()"),
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
