import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { prepareJob, prepareReschedule } from '../lib/enqueue.ts'
import type { MillraceError } from '../lib/errors.ts'
import { defaultRetry, retryPolicy } from '../lib/retry.ts'
import { defineTask } from '../lib/task.ts'
import { type Config, resolveConfig, type RuntimeOptions } from '../runtime/config/config.ts'

/** What pages say that a program can compare with the code. */

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The text of a page under a heading, up to the next of its rank. */
function section(page: string, heading: string): string {
  const from = page.indexOf(`\n## ${heading}\n`)
  assert.ok(from >= 0, `there is no section ${heading}`)
  const to = page.indexOf('\n## ', from + 1)
  return page.slice(from, to < 0 ? undefined : to)
}

/** The rows of the tables in a text, without their heads. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n')
  return lines
    .filter(
      (line, at) => line.startsWith('|') && !line.startsWith('| ---') && lines[at + 1]?.startsWith('| ---') !== true,
    )
    .map((line) => line.replaceAll('\\|', '¦').split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
}

function codesOf(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** Every option that a function knows, as it says itself where it is given another one. */
function knownBy(use: (options: never) => unknown): string[] {
  try {
    use({ surelyNoOption: 1, name: 'a', type: 'fixed' } as never)
  } catch (error) {
    const list = /expected one of ([^;]+);/.exec((error as MillraceError).message)?.[1]
    if (list !== undefined) return list.split(', ')
  }
  return assert.fail('it does not say what it knows')
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => a.localeCompare(b))
}

describe('docs/options.md', () => {
  const page = read('docs/options.md')
  const basic: RuntimeOptions = { tasks: '/tasks.js', journal: { file: 'jobs.db' } }
  const named = (heading: string) => rowsOf(section(page, heading)).flatMap(([names]) => codesOf(names))

  it('has every option of createRuntime', () => {
    const parts: [string, (options: never) => unknown][] = [
      ['', (options) => resolveConfig(options)],
      ['journal.', (journal: object) => resolveConfig({ ...basic, journal: { file: 'a', ...journal } })],
      ['tiers.NAME.', (tier) => resolveConfig({ ...basic, tiers: { a: tier } })],
      ['lanes.NAME.', (lane) => resolveConfig({ ...basic, lanes: { a: lane } })],
      ['watchdog.', (watchdog) => resolveConfig({ ...basic, watchdog })],
      ['promotion.', (promotion) => resolveConfig({ ...basic, promotion })],
    ]
    const known = parts.flatMap(([prefix, use]) => knownBy(use).map((name) => `${prefix}${name}`))
    const isWhole = (name: string) => ['journal', 'tiers', 'lanes', 'watchdog', 'promotion'].includes(name)
    assert.deepEqual(sorted(named('`createRuntime`')), sorted(known.filter((name) => !isWhole(name))))
  })

  it('has the defaults that createRuntime has', () => {
    const { journal, places }: Config = resolveConfig({ ...basic, tiers: { a: {} }, lanes: { b: {} } })
    const [tier, lane] = places
    const rows = new Map(rowsOf(section(page, '`createRuntime`')).map(([name, shown]) => [codesOf(name)[0], shown]))
    const expected: [string, unknown][] = [
      ['journal.maxResults', journal.maxResults],
      ['journal.maxEnded', journal.maxEnded],
      ['tiers.NAME.handJobs', tier?.handJobs],
      ['tiers.NAME.maxZombies', tier?.maxZombies],
      ['lanes.NAME.concurrency', lane?.concurrency],
      ['lanes.NAME.threads', lane?.threads],
      ['lanes.NAME.handJobs', lane?.handJobs],
    ]
    for (const [name, value] of expected) assert.equal(rows.get(name), (value as number).toLocaleString('en'), name)
    assert.equal(rows.get('journal.durability'), `\`'${journal.durability}'\``)
    assert.equal(rows.get('journal.keepEndedMs'), `${journal.keepEndedMs / 86_400_000} days`)
  })

  it('has every option of defineTask, with its default', () => {
    const known = knownBy((options) => defineTask(options)).flatMap((name) =>
      name === 'retry'
        ? ['retry.when', ...knownBy((retry) => retryPolicy(retry)).map((part) => `retry.${part}`)]
        : [name],
    )
    assert.deepEqual(sorted(named('`defineTask`')), sorted(known))
    const rows = rowsOf(section(page, '`defineTask`'))
    const shown = (name: string) => rows.find(([names]) => codesOf(names).includes(name))?.[1]
    const task = defineTask<null>({ name: 'a' })
    assert.equal(
      shown('softLimitMs'),
      `${task.softLimitMs.toLocaleString('en')}, ${task.hardLimitMs.toLocaleString('en')}`,
    )
    assert.equal(shown('retry.attempts'), String(defaultRetry.attempts))
    assert.equal(shown('priority'), String(task.priority))
  })

  it('has every backoff with its options', () => {
    const rows = rowsOf(section(page, 'Backoff')).map(([type, options]) => [codesOf(type)[0] ?? '', options] as const)
    const types = ['exponential', 'fixed', 'list', 'custom']
    assert.deepEqual(
      rows.map(([type]) => type),
      types,
    )
    for (const [type, options] of rows) {
      const known = knownBy((given: object) => retryPolicy({ backoff: { ...given, type } as never }))
      assert.deepEqual(
        codesOf(options?.replaceAll(/\([^)]*\)/g, '')),
        known.filter((name) => name !== 'type'),
        type,
      )
    }
  })

  it('has every option of enqueue and of reschedule', () => {
    const task = defineTask<null>({ name: 'a' })
    const known = knownBy((options) => prepareJob(task, null, options, { now: () => 0 }))
    assert.deepEqual(sorted(named('`enqueue`')), sorted(known))
    const rows = rowsOf(section(page, 'Job handles')).map((row) => codesOf(row[1]))
    const reschedule = knownBy((options) => prepareReschedule(options, 0))
    assert.deepEqual(sorted(rows.flat()), sorted(['timeoutMs', 'mode', ...reschedule]))
  })
})

describe('docs/events.md', () => {
  const source = read('lib/events.ts')
  const fieldsOfType = (type: string): string[] => [
    ...(type.includes('OfAttempt') ? ['id', 'task', 'attempt', 'ranMs'] : []),
    ...(type.includes('OfJob') ? ['id', 'task'] : []),
    ...(type.includes('OfThread') ? ['place', 'thread'] : []),
    ...[...type.matchAll(/readonly (\w+):/g)].map(([, name = '']) => name),
    ...(type.includes('Move') ? ['from', 'to', 'evidence'] : []),
    ...(type === 'Recycled' ? ['place', 'cause', 'jobs', 'ageMs', 'memoryMb'] : []),
    ...(type === 'Resized' ? ['place', 'cause', 'before', 'threads', 'waitMs', 'busy'] : []),
  ]

  it('has every event with its fields, and no others', () => {
    const declared = [...source.matchAll(/^ {2}'([\w.]+)': \(\s*event: ([^]*?)\) => void$/gm)].map(
      ([, name = '', type = '']) => [name, fieldsOfType(type)] as const,
    )
    assert.ok(declared.length > 20)
    const documented = rowsOf(read('docs/events.md')).map(([name, , fields]) => [codesOf(name)[0], codesOf(fields)])
    assert.deepEqual(new Map(documented as [string, string[]][]), new Map(declared))
    assert.equal(documented.length, declared.length)
  })
})

describe('docs/cli.md', () => {
  const page = read('docs/cli.md')

  it('has every option of millrace run, and every exit code', () => {
    const { 1: options = '' } = /options: \{([^]*?)\n {6}\},/.exec(read('adapters/cli/commands/run.ts')) ?? []
    const known = [...options.matchAll(/^ {8}'?([\w-]+)'?: \{/gm)].map(([, name = '']) => `--${name}`)
    const documented = rowsOf(section(page, 'run')).flatMap(([names]) =>
      codesOf(names).map((code) => code.split(' ')[0]),
    )
    assert.deepEqual(sorted(documented as string[]), sorted(known))
    const codes = [...read('adapters/cli/exit-codes.ts').matchAll(/^ {2}\w+: (\d+),$/gm)].map(([, code = '']) => code)
    const shown = [...page.matchAll(/^\| (\d[\d, ]*) \|/gm)].flatMap(([, text = '']) => text.split(', '))
    assert.deepEqual(shown, codes)
  })
})

describe('links between pages', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...['docs', 'examples'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name)),
    ),
  ]
  const anchorsOf = (text: string) =>
    new Set(
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
          .trim()
          .replaceAll(' ', '-'),
      ),
    )

  function brokenIn(path: string, text: string): string[] {
    return [...text.replaceAll(/^```[^]*?^```/gm, '').matchAll(/\]\(([^)]+)\)/g)].flatMap(([, link = '']) => {
      if (/^https?:/.test(link)) return []
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file)
      if (!existsSync(join(root, target))) return [`${path}: ${link}`]
      return anchor === undefined || anchorsOf(read(target)).has(anchor) ? [] : [`${path}: ${link}`]
    })
  }

  it('lead from the README to what is in the package as well', () => {
    const { files } = JSON.parse(read('package.json')) as { files: readonly string[] }
    const packed = ['package.json', 'README.md', 'LICENSE', ...files]
    const links = [...read('README.md').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = '']) => link)
    assert.ok(links.length > 5)
    assert.deepEqual(
      links.filter((link) => !packed.some((path) => link === path || link.startsWith(`${path}/`))),
      [],
    )
  })

  it('lead somewhere', () => {
    assert.ok(pages.length > 10)
    assert.deepEqual(
      pages.flatMap((path) => brokenIn(path, read(path))),
      [],
    )
  })

  it('would be found where they do not (control)', () => {
    assert.equal(brokenIn('README.md', '[a](docs/nowhere.md) [b](docs/cli.md#nowhere) [c](docs/cli.md#run)').length, 2)
  })
})
