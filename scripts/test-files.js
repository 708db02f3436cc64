/**
 * Runs these built test files, in this order (`node --test` would sort them): so many at once, and one after another those
 * behind `--alone`. Tells which took longest.
 */
import { once } from 'node:events'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const TOLD = 15

const [concurrency, timeout, ...files] = process.argv.slice(2)
const alone = files.indexOf('--alone')
const seconds = new Map()

await runFiles(files.slice(0, alone), Number(concurrency))
await runFiles(files.slice(alone + 1), 1)
tellLongest()

async function runFiles(some, atOnce) {
  if (some.length === 0) return
  const told = run({ files: some, concurrency: atOnce, timeout: Number(timeout) })
    .on('test:fail', () => {
      process.exitCode = 1
    })
    .on('test:complete', ({ name, details }) => {
      if (some.includes(name)) seconds.set(name, details.duration_ms / 1_000)
    })
    .compose(new spec())
  told.pipe(process.stdout, { end: false })
  await once(told, 'end')
}

function tellLongest() {
  const longest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, TOLD)
  const sum = [...seconds.values()].reduce((so, each) => so + each, 0)
  console.log(`the longest of ${seconds.size} files, which took ${sum.toFixed(0)} s in all:`)
  for (const [name, took] of longest) console.log(`${took.toFixed(1).padStart(7)} s  ${name}`)
}
