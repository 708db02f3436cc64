/**
 * Installs the package as a user gets it into an empty project, and uses it there: whatever is missing from `files`,
 * `exports` or `dependencies` shows here and in no other test.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programsOf, runPrograms } from './doc-programs.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const project = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
const installed = join(project, 'node_modules', manifest.name)
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

try {
  install()
  checkFiles()
  checkImports()
  checkTypes()
  checkJob()
  checkCommand()
  checkDocs()
  console.log('pack check: the packed package installs, imports, type-checks and runs, as its docs say')
} finally {
  rmSync(project, { recursive: true, force: true })
}

function run(command, ...parameters) {
  return execFileSync(command, parameters, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

function install() {
  const packed = join(project, 'packed')
  mkdirSync(packed)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  run('npm', 'pack', '--silent', root, '--pack-destination', packed)
  const [tarball] = readdirSync(packed)
  run(
    'npm',
    'install',
    '--silent',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    join(packed, tarball),
  )
  // Built once by the repository's own install; a build here would take minutes and show nothing about our package.
  linkOwn('better-sqlite3')
}

/** Puts what the repository has installed in the place of what the project has. */
function linkOwn(name) {
  const place = join(project, 'node_modules', name)
  rmSync(place, { recursive: true, force: true })
  symlinkSync(join(root, 'node_modules', name), place, 'junction')
}

function checkFiles() {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
  const expected = ['LICENSE', 'CHANGELOG.md', 'package.json', ...targets(manifest.exports), ...targets(manifest.bin)]
  for (const path of expected) {
    if (!existsSync(join(installed, path))) throw new Error(`the package lacks ${path}; see "files" in package.json`)
  }
  const stray = files.filter((path) => /(^|[\\/])(test|bench|scripts|examples)[\\/]|\.tsbuildinfo$|\.env/.test(path))
  if (stray.length > 0)
    throw new Error(`the package carries ${stray.slice(0, 5).join(', ')}; expected sources and dist only`)
  console.log(`files: ${files.length}`)
}

/** The files that an `exports` or `bin` entry names, however deep. */
function targets(entry) {
  return typeof entry === 'string' ? [entry] : Object.values(entry ?? {}).flatMap(targets)
}

function checkImports() {
  writeFileSync(
    join(project, 'use.js'),
    `import * as millrace from 'millrace'
import * as testing from 'millrace/testing'
import * as conformance from 'millrace/conformance'
import { memory } from 'millrace/memory'
import { rabbitmq } from 'millrace/rabbitmq'
import manifest from 'millrace/package.json' with { type: 'json' }
if (typeof millrace.createRuntime !== 'function') throw new Error('millrace exports no createRuntime')
if (typeof conformance.brokerConformance !== 'function') throw new Error('millrace/conformance exports no suite')
await memory().open({ queues: [], tell() {} })
// The client package is optional, and not there: it is asked for by name, and no sooner than it is needed.
const refused = await rabbitmq({ urls: 'amqp://localhost' }).open({ queues: [], tell() {} }).catch(({ code }) => code)
if (refused !== 'MILLRACE_BROKER_CLIENT') throw new Error(\`without amqplib open came to \${refused}\`)
console.log(\`imports: millrace \${manifest.version}: \${Object.keys(millrace).length} names, testing: \${Object.keys(testing).length} names\`)
`,
  )
  console.log(run(process.execPath, '--no-warnings', 'use.js').trim())
}

function checkTypes() {
  writeFileSync(
    join(project, 'use.ts'),
    `import { Database, defineTask, type InputOf } from 'millrace'
import type { BrokerRig } from 'millrace/conformance'
import { rabbitmq } from 'millrace/rabbitmq'
export type Attach = BrokerRig['attach']
export const broker = rabbitmq({ urls: ['amqp://a', ['amqp://b', 'amqp://c']] })
// @ts-expect-error: there is no such option
rabbitmq({ urls: 'amqp://a', prefx: 'x' })
const task = defineTask({ name: 'a', run: async (input: { file: string }, { signal }) => ({ aborted: signal.aborted }) })
export const input: InputOf<typeof task> = { file: 'a' }
// @ts-expect-error: checked as in our own sources
export const wrong: InputOf<typeof task> = { file: 5 }
// @ts-expect-error: a database is not just anything
export const database: string = new Database(':memory:')
`,
  )
  // Without --skipLibCheck: our own declarations, and those that they need, must hold in a strict project without a DOM.
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023']
  console.log(`types: ${run(process.execPath, compiler, ...options, '--types', 'node', 'use.ts').trim() || 'fine'}`)
}

/** Threads find their entry, and the tasks module finds the package, only where both stand in place. */
function checkJob() {
  writeFileSync(
    join(project, 'tasks.js'),
    `import { defineTask } from 'millrace'
export const double = defineTask({ name: 'double', run: (input) => input * 2 })
`,
  )
  writeFileSync(
    join(project, 'service.js'),
    `import { createRuntime } from 'millrace'
import { double } from './tasks.js'
const runtime = await createRuntime({
  tasks: new URL('./tasks.js', import.meta.url),
  journal: { file: ':memory:' },
  tiers: { default: { threads: 1 } },
})
const job = await runtime.enqueue(double, 21)
console.log(await job.result({ timeoutMs: 20_000 }))
await runtime.stop()
`,
  )
  const result = run(process.execPath, 'service.js').trim()
  if (result !== '42') throw new Error(`a job in a thread resulted in ${result}, expected 42`)
  console.log(`job: ${result}`)
}

function checkCommand() {
  const help = run(join(project, 'node_modules', '.bin', Object.keys(manifest.bin)[0]), '--help')
  if (!help.includes(manifest.name))
    throw new Error(`--help of the command does not name it; got ${help.slice(0, 200)}`)
  console.log(`command: ${help.split('\n')[0]}`)
}

/** Whoever copies a program out of the docs must see it run. */
function checkDocs() {
  linkOwn('zod')
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))]
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const programs = programsOf(readFileSync(join(root, page), 'utf8'))
    if (programs.size === 0) continue
    const ran = runPrograms(programs, join(project, page.replaceAll(/\W/g, '-')), compiler)
    console.log(`docs: ${page}: ${[...programs.keys()].join(', ')}; ran ${ran.map(({ name }) => name).join(', ')}`)
  }
}
