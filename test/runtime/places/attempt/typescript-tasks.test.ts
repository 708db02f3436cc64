import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { cli } from '../../../helpers/cli.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

const millrace = dirname(dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))))
const stripsTypes = Boolean((process.features as { readonly typescript?: unknown }).typescript)

/** Imports as a compiler wants it, and has an enum: Node's own stripping of types is content with neither. */
const TASKS = `
  import { defineTask } from 'millrace'
  import { Trait, where } from './where.js'
  const retry = { attempts: 1 }
  const run = (n: number): string => {
    if (n < 0) throw new Error('not below 0')
    return \`\${Trait.Typed}\${n} \${where()}\`
  }
  export const onTier = defineTask({ name: 'on.tier', retry, run })
  export const inProcess = defineTask({ name: 'in.process', tier: 'heavy', retry, run })
  export const onThreads = defineTask({ name: 'on.threads', lane: 'network', retry, run })
  export const onLoop = defineTask({ name: 'on.loop', lane: 'own', retry, run })
`

const WHERE = `
  import { isMainThread } from 'node:worker_threads'
  export enum Trait { Typed = 't' }
  export const where = (): string => [process.ppid === Number(process.env['SERVICE_PID']) ? 'child' : 'service', isMainThread ? 'main' : 'thread'].join(' ')
`

/** As much of it as Node strips. */
const PLAIN_TASKS = TASKS.replace('./where.js', './where.ts')
const PLAIN_WHERE = WHERE.replace('enum Trait { Typed = ', 'const Trait = { Typed: ')

const SERVICE = `
  import { createRuntime } from 'millrace'
  import { inProcess, onLoop, onThreads, onTier } from './tasks.ts'
  process.env['SERVICE_PID'] = String(process.pid)
  const runtime = await createRuntime({
    tasks: new URL('./tasks.ts', import.meta.url),
    journal: { file: ':memory:' },
    tiers: { default: { threads: 1 }, heavy: { processes: 1 } },
    lanes: { network: { threads: 1 }, own: {} },
  })
  const of = async (task: typeof onTier, n: number) => (await runtime.enqueue(task, n)).result({ timeoutMs: 30_000 })
  const results: string[] = []
  for (const task of [onTier, inProcess, onThreads, onLoop]) results.push(await of(task, results.length))
  const at: string = await of(onTier, -1).catch((error) => /tasks\\.ts:\\d+/.exec(error.cause.stack)?.[0])
  console.log(JSON.stringify([...results, at]))
  await runtime.stop()
`

/** In JavaScript, with tasks in TypeScript on one place. */
const PLAIN_SERVICE = `
  import { createRuntime } from 'millrace'
  const place = JSON.parse(process.argv[2])
  await createRuntime({ tasks: new URL('./tasks.ts', import.meta.url), journal: { file: ':memory:' }, ...place })
`

const EVERYWHERE = ['t0 service thread', 't1 child main', 't2 service thread', 't3 service main', 'tasks.ts:6']

/** A project of its own that has Millrace, and tsx only where it says so. */
function project(packages: readonly ('millrace' | 'tsx')[], files: Readonly<Record<string, string>>): string {
  const folder = scratchFolder()
  mkdirSync(join(folder, 'node_modules'))
  const from = { millrace, tsx: join(millrace, 'node_modules', 'tsx') }
  for (const name of packages) symlinkSync(from[name], join(folder, 'node_modules', name))
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    writeFileSync(join(folder, name), text)
  }
  return folder
}

function node(args: readonly string[], cwd: string, flags = ''): Promise<{ code: number; out: string; err: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd, env: { ...env, NODE_OPTIONS: flags }, timeout: 60_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    )
  })
}

async function results(args: readonly string[], cwd: string, flags?: string): Promise<unknown> {
  const { out, err } = await node(args, cwd, flags)
  assert.match(out, /^\[.*\]\n$/, err)
  return JSON.parse(out)
}

const typed = { 'tasks.ts': TASKS, 'where.ts': WHERE, 'service.ts': SERVICE }

describe('a tasks module in TypeScript', () => {
  it('runs on every kind of place where tsx runs the service, and errors name its lines', async () => {
    const folder = project(['millrace', 'tsx'], typed)
    assert.deepEqual(await results(['--import', 'tsx', 'service.ts'], folder), EVERYWHERE)
  })

  it('does so where tsx comes by the environment', async () => {
    const folder = project(['millrace', 'tsx'], typed)
    assert.deepEqual(await results(['service.ts'], folder, '--import=tsx'), EVERYWHERE)
  })

  it('does so where the service is run by a tsx that is installed elsewhere', async () => {
    const folder = project(['millrace'], typed)
    const loader = pathToFileURL(join(millrace, 'node_modules/tsx/dist/loader.mjs')).href
    assert.deepEqual(await results(['--import', loader, 'service.ts'], folder), EVERYWHERE)
  })

  it('does so without tsx where Node strips types', { skip: !stripsTypes && 'this Node does not' }, async () => {
    const folder = project(['millrace'], { ...typed, 'tasks.ts': PLAIN_TASKS, 'where.ts': PLAIN_WHERE })
    assert.deepEqual(await results(['service.ts'], folder), EVERYWHERE)
  })

  for (const [where, place] of [
    ['a tier', {}],
    ['a tier of processes', { tiers: { default: { processes: 1 } } }],
    ['the loop of the service', { tiers: {}, lanes: { own: {} } }],
  ] as const) {
    it(`is refused by ${where} with what to do, where neither is there`, {
      skip: stripsTypes && 'this Node strips types',
    }, async () => {
      const task = `export const none = { name: 'none' as const }`
      const folder = project(['millrace'], { 'tasks.ts': task, 'service.js': PLAIN_SERVICE })
      const { code, err } = await node(['service.js', JSON.stringify(place)], folder)
      assert.notEqual(code, 0)
      assert.match(err, /MILLRACE_TASKS_MODULE: the tasks module file:.*tasks\.ts cannot be imported: Unknown file ext/)
      assert.match(err, /expected a module that this Node can import; build it .*, install tsx .*, or use Node 22\.18/)
    })
  }

  it('is refused by the command line with what to do, where neither is there', {
    skip: stripsTypes && 'this Node strips types',
  }, async () => {
    const cwd = project(['millrace'], { 'tasks.ts': TASKS, 'where.ts': WHERE })
    const args = ['run', './tasks.ts', 'on.tier', '--input', 'in.ndjson', '--output', 'out.ndjson']
    writeFileSync(join(cwd, 'in.ndjson'), '1\n')
    const { code, err } = await cli(args, { cwd })
    assert.equal(code, 2)
    assert.match(err, /MILLRACE_TASKS_MODULE: .*; build it .*, install tsx .*, or use Node 22\.18 or later/)
  })
})
