import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { cli, scratch } from './helpers/cli.ts'
import { readOutcomes } from './helpers/outcomes.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const page = readFileSync(join(root, 'README.md'), 'utf8')
const start = page.slice(page.indexOf('\n## Quick start\n'), page.indexOf('\n## What it promises'))
const blocks = [...start.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text = '']) => ({ language, text }))

describe('the quick start of the README', () => {
  it('has less than 25 lines to type in all', () => {
    const lines = blocks.flatMap(({ text }) => text.trimEnd().split('\n'))
    assert.ok(blocks.length >= 4 && lines.length < 25, String(lines.length))
  })

  it('has a command that does what it says', async (test) => {
    const folder = scratch(test)
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules', 'millrace'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    for (const { text } of blocks) {
      const name = /^\/\/ ([\w.]+)/.exec(text)?.[1]
      if (name !== undefined) writeFileSync(join(folder, name), text)
    }
    const shell = blocks.find(({ text }) => text.includes('npx millrace run '))?.text ?? ''
    const [, line, input = ''] = /^echo '(.*)' > (\S+)$/m.exec(shell) ?? []
    const [, command = ''] = /^npx millrace (.*)$/m.exec(shell) ?? []
    writeFileSync(join(folder, input), `${line}\n`)
    const { code, err } = await cli(command.split(' '), { cwd: folder })
    assert.equal(code, 0, err)
    const output = /--output (\S+)/.exec(command)?.[1] ?? ''
    assert.match(readOutcomes(join(folder, output))[0]?.result as string, /^[0-9a-f]{64}$/)
  })
})
