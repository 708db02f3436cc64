import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { errorCodes, MillraceError, nearest, PermanentError } from '../../lib/errors.ts'

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
const codes = Object.keys(errorCodes)

function sources(): string {
  return ['lib', 'runtime', 'adapters']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => path.endsWith('.ts') && path !== join('lib', 'errors.ts'))
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .join('\n')
}

describe('the codes of errors', () => {
  const page = readFileSync(join(root, 'docs', 'errors.md'), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '))

  it('are all in docs/errors.md, each once, and no others are', () => {
    const documented = rows.map(([code = '']) => code.replaceAll('`', ''))
    assert.deepEqual(documented.sort(), [...codes].sort())
  })

  it('each say when, what to do and what becomes of the job', () => {
    for (const row of rows) {
      assert.equal(row.length, 4, row[0])
      for (const cell of row) assert.notEqual(cell.trim(), '', row[0])
    }
  })

  it('of warnings are in docs/errors.md too, in words', () => {
    const warnings = [...sources().matchAll(/emitWarning\([^]*?code: '(\w+)'/g)].map(([, code = '']) => code)
    assert.ok(warnings.length > 0)
    const { 1: section = '' } = /^## Warnings\n([^]*)/m.exec(page) ?? []
    assert.deepEqual(
      warnings.filter((code) => !section.includes(`\`${code}\``)),
      [],
    )
  })

  it('are each made somewhere', () => {
    const text = sources()
    // The command line may be left out of a build, and its code with it.
    const expected = codes.filter((code) => code !== 'MILLRACE_CLI' || existsSync(join(root, 'adapters', 'cli')))
    assert.deepEqual(
      expected.filter((code) => !text.includes(`'${code}'`)),
      [],
    )
  })

  it('begin alike and are sentences', () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      assert.match(code, /^MILLRACE_[A-Z]+(?:_[A-Z]+)*$/)
      assert.match(meaning, /^[A-Za-z].+\.$/)
    }
  })
})

describe('an error of our own', () => {
  it('has its code in front of its message, and what it is given', () => {
    const cause = new Error('inner')
    const error = new MillraceError('MILLRACE_CLI', 'no', { cause, path: 'a[1]', details: { pid: 5 } })
    assert.ok(error instanceof Error)
    assert.deepEqual([error.name, error.code, error.message], ['MillraceError', 'MILLRACE_CLI', 'MILLRACE_CLI: no'])
    assert.deepEqual([error.cause, error.path, error.details], [cause, 'a[1]', { pid: 5 }])
  })

  it('has nothing that it is not given', () => {
    const error = new MillraceError('MILLRACE_CLI', 'no')
    for (const key of ['cause', 'path', 'details']) assert.ok(!(key in error), key)
  })

  it('may be thrown by a handler that wants no other attempt', () => {
    const error = new PermanentError('gone', { cause: 5 })
    assert.deepEqual([error.name, error.message, error.cause], ['PermanentError', 'gone', 5])
  })
})

describe('the word that was probably meant', () => {
  const words = ['softLimitMs', 'hardLimitMs', 'priority', 'key']

  it('is the one with the fewest changes', () => {
    assert.equal(nearest('softlimit', words), 'softLimitMs')
    assert.equal(nearest('pirority', words), 'priority')
    assert.equal(nearest('hardLimitMS', words), 'hardLimitMs')
  })

  it('is none where every one is far', () => {
    assert.equal(nearest('concurrency', words), undefined)
    assert.equal(nearest('', words), undefined)
    assert.equal(nearest('key', []), undefined)
  })

  it('is the word itself where it is there', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, selector: (word) => word.toLowerCase() }),
        (many) => {
          const word = many[many.length >> 1] as string
          assert.equal(nearest(word, many), word)
        },
      ),
    )
  })
})
