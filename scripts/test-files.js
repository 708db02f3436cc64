/**
 * Runs these built test files, in this order (`node --test` would sort them): so many at once, and one after another those
 * behind `--alone`. Tells which took longest, and at the very end once more what has failed.
 *
 * A few that have failed are run again, one after another: threads and processes that get no processor beside other work
 * fail tests of time. Both runs are told. What looks for lost jobs has failed if it has failed once.
 */
import { once } from 'node:events'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { inspect } from 'node:util'

const TOLD = 15
/** Characters of each failure, at the end. */
const TOLD_OF_FAULT = 3_000
/** More of them are no accident. */
const MOST_AGAIN = 3
const NEVER_AGAIN = /\btorture\b/

const [concurrency, timeout, ...files] = process.argv.slice(2)
const alone = files.indexOf('--alone')
const seconds = new Map()
const faults = []

const failed = new Set([
  ...(await runFiles(files.slice(0, alone), Number(concurrency))),
  ...(await runFiles(files.slice(alone + 1), 1)),
])
const mayBeRunAgain = failed.size <= MOST_AGAIN && ![...failed].some((file) => NEVER_AGAIN.test(file))
if (failed.size > 0 && mayBeRunAgain) {
  console.log(`once more, alone: ${[...failed].join(', ')}`)
  process.exitCode = 0
  const stillFailed = await runFiles([...failed], 1)
  for (const file of failed) console.log(`failed once, and ${stillFailed.has(file) ? 'again' : 'not again'}: ${file}`)
}
tellLongest()
for (const fault of faults) console.log(fault)

/** Resolves to those that have failed. */
async function runFiles(some, atOnce) {
  const failures = new Set()
  if (some.length === 0) return failures
  const told = run({ files: some, concurrency: atOnce, timeout: Number(timeout) })
    // The file of a failure is where its source says, which may be a helper's: only the end of a file tells of which it was.
    .on('test:complete', ({ name, details }) => {
      if (!some.includes(name)) return
      seconds.set(name, details.duration_ms / 1_000)
      if (details.passed === false || details.error !== undefined) failures.add(name)
    })
    .on('test:fail', ({ name, details: { error } }) => {
      process.exitCode = 1
      if (error.failureType !== 'subtestsFailed') faults.push(`failed: ${name}\n${faultOf(error)}`)
    })
    .compose(new spec())
  told.pipe(process.stdout, { end: false })
  await once(told, 'end')
  return failures
}

function faultOf(error) {
  const text = inspect(error.cause ?? error).slice(0, TOLD_OF_FAULT)
  return text.replaceAll(/^/gm, '    ')
}

function tellLongest() {
  const longest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, TOLD)
  const sum = [...seconds.values()].reduce((so, each) => so + each, 0)
  console.log(`the longest of ${seconds.size} files, which took ${sum.toFixed(0)} s in all:`)
  for (const [name, took] of longest) console.log(`${took.toFixed(1).padStart(7)} s  ${name}`)
}
