import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BROKER_OPTIONS } from '../../../adapters/cli/broker-options.ts'
import { exitCodeOf, exitCodes } from '../../../adapters/cli/exit-codes.ts'
import { MillraceError } from '../../../runtime/index.ts'
import { cli } from '../../helpers/cli.ts'

const root = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))))
const sources = join(root, 'adapters', 'cli')
const read = (path: string) => readFileSync(join(sources, path), 'utf8')
const names = readdirSync(join(sources, 'commands')).map((name) => name.replace(/\.ts$/, ''))

function sorted(texts: Iterable<string>): string[] {
  return [...new Set(texts)].sort((a, b) => a.localeCompare(b))
}

/** The options that a source hands to `parseArguments`. */
function optionsIn(source: string): string[] {
  const [, options = ''] = /\boptions: \{([^]*?\}),?\s*\},?\n/.exec(source) ?? []
  const own = [...options.matchAll(/'?([\w-]+)'?: \{ type:/g)].map(([, name = '']) => name)
  return options.includes('...BROKER_OPTIONS') ? [...own, ...Object.keys(BROKER_OPTIONS)] : own
}

function codesIn(help: string): number[] {
  const part = help.slice(help.indexOf('\nExit codes\n'))
  return [...part.matchAll(/^ {2}(\d+(?:, \d+)*) /gm)].flatMap(([, codes = '']) => codes.split(', ').map(Number))
}

describe('the help', () => {
  it('has every command and every exit code', async () => {
    const { code, out } = await cli(['--help'])
    assert.equal(code, 0)
    assert.ok(names.length >= 9)
    for (const name of names) assert.match(out, new RegExp(`^  ${name} `, 'm'))
    assert.deepEqual(
      codesIn(out).sort((a, b) => a - b),
      Object.values(exitCodes).sort((a, b) => a - b),
    )
  })

  for (const name of names) {
    it(`of ${name} has its options, and exit codes that there are`, async () => {
      const { code, out } = await cli([name, '--help'])
      assert.equal(code, 0)
      assert.match(out, new RegExp(`^Usage: millrace ${name} `))
      assert.match(out, /\nExamples?\n/)
      const source = read(join('commands', `${name}.ts`))
      const known = optionsIn(source.includes('wishCommand') ? read('wish-command.ts') : source)
      assert.ok(known.includes('journal') || known.includes('broker'), known.join())
      const shown = [...out.matchAll(/^ {2}--([\w-]+)/gm)].map(([, option = '']) => option)
      assert.deepEqual(sorted(shown), sorted(known))
      const codes = codesIn(out)
      assert.ok(codes.includes(exitCodes.ok) && codes.includes(exitCodes.usage))
      for (const each of codes) assert.ok(Object.values<number>(exitCodes).includes(each), String(each))
    })
  }
})

describe('docs/cli.md', () => {
  it('has the same exit codes in its table', () => {
    const page = readFileSync(join(root, 'docs', 'cli.md'), 'utf8')
    const [, rows = ''] = /\n\| exit code \| \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(page) ?? []
    const codes = [...rows.matchAll(/^\| (\d+(?:, \d+)*) \|/gm)].flatMap(([, each = '']) =>
      each.split(', ').map(Number),
    )
    assert.deepEqual(
      codes.sort((a, b) => a - b),
      Object.values(exitCodes).sort((a, b) => a - b),
    )
  })
})

describe('the exit code of a run that has stopped before its end', () => {
  it('is one of its own', () => {
    for (const code of ['MILLRACE_PLACE_STOPPED', 'MILLRACE_ZOMBIES'] as const) {
      assert.equal(exitCodeOf(new MillraceError(code, 'no')), exitCodes.incomplete)
    }
    const others = Object.values<number>(exitCodes).filter((each) => each === exitCodes.incomplete)
    assert.equal(others.length, 1)
  })
})
