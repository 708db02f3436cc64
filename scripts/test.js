/**
 * Runs the built tests: `npm test`, or `npm test -- payload retry` for those whose path contains one of the words.
 *
 * A test file that needs something of the machine says so in a line of its own, `// needs-env: NAME, NAME`, and is left
 * out, by name, where one of them is not set.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CONCURRENCY = 2
/** Of a whole file too: the longest one kills a service two hundred times. */
const TIMEOUT_MS = 480_000

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const words = process.argv.slice(2)
const leftOut = []

const files = testFiles().filter(isWanted).filter(isPossible)
for (const line of leftOut) console.log(`left out: ${line}`)
if (files.length === 0) {
  console.error(`no test to run${words.length > 0 ? ` of ${words.join(', ')}` : ': build first (npm run build)'}`)
  process.exit(1)
}
console.log(`test files: ${files.length}, left out: ${leftOut.length}`)
run(files.map(({ built }) => built))

function testFiles() {
  const folder = join(root, 'dist', 'test')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => ({
      built: join('dist', 'test', name),
      source: join('test', name.replace(/\.js$/, '.ts')),
    }))
    .filter(({ source }) => existsSync(join(root, source)))
}

function isWanted({ source }) {
  return words.length === 0 || words.some((word) => source.includes(word))
}

function isPossible({ source }) {
  const needs = /^\/\/ needs-env: (.+)$/m.exec(readFileSync(join(root, source), 'utf8'))?.[1]?.split(/,\s*/) ?? []
  const missing = needs.filter((name) => !process.env[name])
  if (missing.length > 0) leftOut.push(`${source} needs ${missing.join(' and ')} in the environment`)
  return missing.length === 0
}

function run(paths) {
  const options = [
    '--enable-source-maps',
    '--import',
    new URL('../dist/test/helpers/leak-check-each-file.js', import.meta.url).href,
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${TIMEOUT_MS}`,
  ]
  const child = spawn(process.execPath, [...options, ...paths], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  child.on('error', (error) => {
    console.error(error)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) console.error(`the test runner was ended by ${signal}`)
    process.exitCode = code ?? 1
  })
}
