/**
 * Runs the built tests: `npm test`, or `npm test -- payload retry` for those whose path contains one of the words.
 *
 * A test file that needs something of the machine says so in a line of its own, and is left out, by name, where it is not
 * there: `// needs-env: NAME, NAME` for variables, `// needs-program: NAME, NAME` for what is installed. Of the programs
 * none may be missing where the tests have to show that everything holds, which is where CI is set. A file that judges by
 * the clock says `// needs-quiet: why`: it runs when the others are through, with none beside it.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Keeps two processors at nine tenths: a test waits for threads and processes most of the time. */
const CONCURRENCY = 3
/** Where programs are besides in the path. */
const PROGRAM_FOLDERS = ['/usr/sbin', '/usr/lib/rabbitmq/bin']
/** Of a whole file too: the longest one kills a service two hundred times. */
const TIMEOUT_MS = 900_000
/** The longest files, which come first: last, one of them would run alone. */
const LONG = /^(torture|\w+-controls)\b/

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
const alone = files.filter(needsQuiet)
run(
  files.filter((file) => !alone.includes(file)),
  alone,
)

function testFiles() {
  const folder = join(root, 'dist', 'test')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort((one, other) => Number(LONG.test(other)) - Number(LONG.test(one)) || (one < other ? -1 : 1))
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
  const text = readFileSync(join(root, source), 'utf8')
  const variables = needsOf(text, 'env').filter((name) => !process.env[name])
  const programs = needsOf(text, 'program').filter((name) => !isInstalled(name))
  if (programs.length > 0 && process.env.CI) {
    console.error(`${source} needs ${programs.join(' and ')}, and nothing may be left out where CI is set: install it`)
    process.exit(1)
  }
  if (variables.length > 0) leftOut.push(`${source} needs ${variables.join(' and ')} in the environment`)
  if (programs.length > 0) leftOut.push(`${source} needs ${programs.join(' and ')} on this machine`)
  return variables.length + programs.length === 0
}

function needsQuiet({ source }) {
  return needsOf(readFileSync(join(root, source), 'utf8'), 'quiet').length > 0
}

function needsOf(text, kind) {
  return new RegExp(`^// needs-${kind}: (.+)$`, 'm').exec(text)?.[1]?.split(/,\s*/) ?? []
}

function isInstalled(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...PROGRAM_FOLDERS]
  return folders.some((folder) => existsSync(join(folder, name)))
}

function run(together, alone) {
  const options = [
    '--enable-source-maps',
    '--import',
    new URL('../dist/test/helpers/leak-check-each-file.js', import.meta.url).href,
    join(root, 'scripts', 'test-files.js'),
    String(CONCURRENCY),
    String(TIMEOUT_MS),
    ...together.map(({ built }) => built),
    '--alone',
    ...alone.map(({ built }) => built),
  ]
  const child = spawn(process.execPath, options, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  child.on('error', (error) => {
    console.error(error)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) console.error(`the test runner was ended by ${signal}`)
    process.exitCode = code ?? 1
  })
}
