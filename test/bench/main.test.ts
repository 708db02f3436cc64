import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Figure } from '../../bench/bench.ts'
import { siblingUrl } from '../../runtime/sibling-url.ts'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from '../helpers/scratch.ts'
import { until } from '../helpers/until.ts'

const MAIN = fileURLToPath(siblingUrl('../../bench/main', import.meta.url))
/** Those that need no more than a second or two; the others run in `npm run bench -- --once`. */
const QUICK = ['ceiling', 'end-to-end', 'drain', 'enqueue-many', 'enqueue-one', 'callers', 'latency', 'cold', 'micro']

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

describe('npm run bench', () => {
  it('runs every quick bench once, prints figures as JSON and leaves no file behind', async () => {
    const temporary = scratchFolder()
    const { code, stdout, stderr } = await bench(['--once', '--json', ...QUICK], { TMPDIR: temporary })
    assert.equal(code, 0, stderr)
    const { machine, figures } = JSON.parse(stdout) as Output
    assert.equal(machine.durability, 'FULL')
    assert.ok(machine.cores >= 1)
    assert.deepEqual(new Set(figures.map((figure) => figure.bench)), new Set(QUICK))
    for (const { what, value, target } of figures) {
      assert.ok(Number.isFinite(value), `${what} is ${value}`)
      assert.ok(target === undefined || ['ok', 'below'].includes(target.verdict))
    }
    assert.deepEqual(readdirSync(temporary), [])
  })

  it('prints a table with the machine, the ceiling beside each figure, and the verdict', async () => {
    const { code, stdout } = await bench(['--once', 'enqueue-one'], {})
    assert.equal(code, 0)
    assert.match(stdout, /^\d+ cores .*Node v\d+.*SQLite 3\..*durability FULL/)
    assert.match(stdout, /one enqueue after another .* single-row commits .*>= 0\.45 x +(ok|below)/)
  })

  it('prints what it has measured where Ctrl-C ends it, and leaves no file behind', async () => {
    const temporary = scratchFolder()
    const files = () => readdirSync(temporary)
    const { code, stdout, stderr } = await bench(
      ['--once', 'ceiling', 'latency'],
      { TMPDIR: temporary },
      async (line, child) => {
        if (!line.startsWith('latency')) return
        await until('it has begun', files, (all) => all.length > 0)
        child.kill('SIGINT')
      },
    )
    assert.equal(code, 130, stderr)
    assert.match(stderr, /interrupted in latency/)
    assert.match(stdout, /^\d+ cores [\s\S]*ceiling/)
    await until('no file is left', files, (all) => all.length === 0)
  })

  it('names every bench in its help', async () => {
    const { code, stdout } = await bench(['--help'], {})
    assert.equal(code, 0)
    for (const name of [...QUICK, 'backlog', 'mixed', 'kill']) assert.match(stdout, new RegExp(`^ +${name} `, 'm'))
  })

  it('refuses a name that it does not know, and an option', async () => {
    const unknown = await bench(['faster'], {})
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /no bench faster; expected ceiling, /)
    assert.equal((await bench(['--fast'], {})).code, 2)
  })
})

interface Output {
  readonly machine: { readonly durability: string; readonly cores: number }
  readonly figures: readonly (Figure & { readonly bench: string })[]
}

function bench(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  heard: (line: string, child: ChildProcess) => unknown = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...environment } })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => {
    text.stderr += chunk.toString()
    void heard(chunk.toString(), child)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...text }))
  })
}
