/**
 * Runs the tests on other lines of Node: `npm run test:node -- 22 24`, or `npm run test:node -- 22 payload` for the test
 * files whose path contains the word.
 *
 * Each line is installed from its npm package into a temporary folder, beside a copy of this checkout with the
 * dependencies that npm chooses for it. That takes minutes, so it is for people and no part of `npm run ci`. The results
 * that are in docs/node.md were made with it.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** For all tests of a line. */
const LIMIT_MS = 45 * 60_000

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const lines = process.argv.slice(2).filter((word) => /^\d/.test(word))
const words = process.argv.slice(2).filter((word) => !/^\d/.test(word))

if (lines.length === 0) {
  console.error('expected lines of Node: npm run test:node -- 22 24')
  process.exit(2)
}
const reports = []
for (const line of lines) reports.push(await testOn(line))
console.log('\n| Node | better-sqlite3 | SQLite | tests | passed | skipped | failed |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const { node, driver, sqlite, counts } of reports) {
  const { tests, pass, skipped, fail, cancelled } = counts
  console.log(`| ${[node, driver, sqlite, tests, pass, skipped, fail + cancelled].join(' | ')} |`)
}
for (const { node, failures, again, log } of reports) {
  for (const name of failures) console.log(`failed on ${node}: ${name}`)
  for (const line of again) console.log(`on ${node} ${line}`)
  if (failures.length > 0) console.log(`the whole output: ${log}`)
}
process.exitCode = reports.every(({ code }) => code === 0) ? 0 : 1

async function testOn(line) {
  const folder = mkdtempSync(join(tmpdir(), `millrace-node-${line}-`))
  const log = `${folder}.log`
  try {
    const bin = installNode(line, folder)
    const checkout = copyCheckout(join(folder, 'checkout'))
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
    const ask = (...args) => execFileSync(join(bin, 'node'), args, { cwd: checkout, env, encoding: 'utf8' }).trim()
    const node = ask('--version')
    console.log(`${node}: installing dependencies`)
    await run('npm', ['install', '--no-audit', '--no-fund'], checkout, env, log)
    const driver = ask('-p', "require('better-sqlite3/package.json').version")
    const sqlite = ask(
      '-p',
      "new (require('better-sqlite3'))(':memory:').prepare('select sqlite_version()').pluck().get()",
    )
    console.log(`${node}: better-sqlite3 ${driver} with SQLite ${sqlite}; testing, see ${log}`)
    const code = await run('npm', ['test', ...(words.length > 0 ? ['--', ...words] : [])], checkout, env, log)
    return { node, driver, sqlite, code, log, ...resultsOf(readFileSync(log, 'utf8')) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Returns the folder of its `node`. */
function installNode(line, folder) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  // Of the package only the binary is wanted; its scripts would look for one elsewhere.
  execFileSync('npm', ['install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${line}`], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return join(folder, 'node_modules', name, 'bin')
}

/** What is committed or could be, without anything that was built. */
function copyCheckout(to) {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  const paths = list.toString().split('\0')
  for (const path of paths.filter((each) => each !== '' && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(to, path)), { recursive: true })
    copyFileSync(join(root, path), join(to, path))
  }
  // Made on Node 20: the driver that it names crashes on late lines, so npm has to choose it anew.
  const lock = JSON.parse(readFileSync(join(to, 'package-lock.json'), 'utf8'))
  delete lock.packages['node_modules/better-sqlite3']
  writeFileSync(join(to, 'package-lock.json'), JSON.stringify(lock, null, 2))
  return to
}

/** Resolves to the exit code; what it prints goes to the end of the log. */
function run(command, args, cwd, env, log) {
  const output = createWriteStream(log, { flags: 'a' })
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  // Node 24 has no limit for a test file, so one that hangs would be waited for without end.
  const hang = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), LIMIT_MS)
  const stop = () => process.kill(-child.pid, 'SIGKILL')
  process.once('SIGINT', stop)
  child.stdout.pipe(output, { end: false })
  child.stderr.pipe(output, { end: false })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(hang)
      process.off('SIGINT', stop)
      output.end(() => resolve(code ?? 1))
    })
  })
}

/**
 * As the spec reporter tells them after the files that run beside each other, and after those that run alone. What has failed
 * is run once more: `again` has what became of each file.
 */
function resultsOf(log) {
  const [text] = log.split('\nonce more, alone: ')
  const again = log.match(/^failed once, and .*$/gm) ?? []
  const kinds = ['tests', 'pass', 'fail', 'cancelled', 'skipped']
  const counts = Object.fromEntries(
    kinds.map((kind) => {
      const told = [...text.matchAll(new RegExp(`^ℹ ${kind} (\\d+)$`, 'gm'))]
      return [kind, told.length === 0 ? Number.NaN : told.reduce((sum, [, count]) => sum + Number(count), 0)]
    }),
  )
  const failing = text
    .split('\n✖ failing tests:\n')
    .slice(1)
    .map((part) => part.split('\n▶ ')[0])
  const names = failing.flatMap((part) => [...part.matchAll(/^✖ (.+) \([\d.]+ms\)$/gm)].map(([, name]) => name))
  return { counts, failures: names, again }
}
