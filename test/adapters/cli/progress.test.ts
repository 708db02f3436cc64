// needs-program: script
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Progress, progressText, type Standing } from '../../../adapters/cli/run/progress.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { millrace, scratch, tasksModule } from '../../helpers/cli.ts'

const LINES = 400

const MODULE = `
const work = (n) => {
  for (const until = performance.now() + 5; performance.now() < until; );
  if (n % 10 === 0) throw new m.PermanentError('no')
}
const child = m.defineTask({ name: 'child', run: () => work(1) })
export { child }
export const lines = m.defineTask({ name: 'lines', run: work })
export const parent = m.defineTask({
  name: 'parent',
  run: (_, context) => Promise.all(Array.from({ length: 200 }, () => context.enqueue(child, null))),
})`

/** What a run shows on a terminal of so many columns, as one text for each time it is shown. */
function shown(test: TestContext, task: string, lines: number, columns: number): string[] {
  const folder = scratch(test)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('in'), Array.from({ length: lines }, (_, n) => `${n}\n`).join(''))
  const files = `--input ${at('in')} --output ${at('out')} --journal ${at('jobs.db')} --threads 1`
  const run = `${process.execPath} ${millrace} run ${tasksModule(folder, MODULE)} ${task} ${files}`
  const { stdout } = spawnSync('script', ['-qec', `stty cols ${columns}; exec ${run}`, '/dev/null'], {
    encoding: 'utf8',
    input: '',
  })
  assert.match(stdout, new RegExp(`${lines} lines?: `))
  return stdout.split('\r').flatMap((text) => (text.endsWith('\x1b[K') && text.length > 3 ? [text.slice(0, -3)] : []))
}

describe('the progress of a run on a terminal', () => {
  it('is a bar with the rate, the failures and the time left', (test) => {
    const frames = shown(test, 'lines', LINES, 100)
    const read = frames.flatMap((text) => {
      const match = /^█*░*  (\d+) %  (\d+) of 400  (\d+)\/s  (\d+) failed  ([\d.]+) (m?s) left$/.exec(text)
      if (match === null) return []
      const [share = 0, done = 0, rate = 0, failed = 0, left = 0] = match.slice(1, 6).map(Number)
      return [{ share, done, rate, failed, leftMs: match[6] === 's' ? left * 1_000 : left }]
    })
    assert.ok(read.length > 2, frames.join('\n'))
    assert.ok(read.some(({ failed }) => failed >= 10))
    for (const { share, done, rate, failed, leftMs } of read) {
      assert.equal(share, Math.floor((done / LINES) * 100))
      // The journal is asked about those that fail before their line is written, so that they come a little later.
      assert.ok(failed <= done / 10 + 2, `${failed} of ${done} failed`)
      assert.ok(rate > 0 && rate < 1_000, `${rate}/s`)
      assert.ok(Math.abs((rate * leftMs) / 1_000 - (LINES - done)) <= 3 + LINES * (0.6 / rate) + rate * 0.06)
    }
  })

  it('has what matters on 30 columns too, and never more', (test) => {
    const frames = shown(test, 'lines', LINES, 30)
    assert.ok(frames.length > 2)
    for (const text of frames) assert.ok(text.length < 30, text)
    assert.ok(
      frames.some((text) => /\d+\/s +\d+ failed +[\d.]+ m?s left$/.test(text)),
      frames.join('\n'),
    )
  })

  it('says how many jobs are left that lines have enqueued, and no time', (test) => {
    const frames = shown(test, 'parent', 1, 100)
    const last = frames.filter((text) => / jobs? of lines left$/.test(text))
    assert.ok(last.length > 1, frames.join('\n'))
    for (const text of last) assert.match(text, /100 %  1 of 1  \d+\/s  0 failed  \d+ jobs? of lines left$/)
    assert.ok(frames.every((text) => !/100 %.* ms left/.test(text)))
  })
})

describe('the progress of a run without a terminal', () => {
  function started(shown: 'shown' | 'quiet') {
    const clock = new ManualClock()
    const lines: string[] = []
    const standing = { written: 0, failures: 0, total: 1_000, open: 10, children: undefined }
    const terminal = {
      detail: 'short',
      isInteractive: false,
      columns: 10,
      out: () => {},
      err: (text: string) => void lines.push(text),
    } as const
    const progress = new Progress(terminal, () => standing, shown, clock)
    progress.start()
    return { clock, lines, standing, progress }
  }

  it('is a plain line every five seconds, of any length', () => {
    const { clock, lines, standing, progress } = started('shown')
    clock.advance(4_999)
    assert.deepEqual(lines, [])
    standing.written = 100
    clock.advance(1)
    standing.failures = 7
    clock.advance(5_000)
    assert.deepEqual(lines, [
      '10 %  100 of 1,000  20/s  0 failed  45.0 s left',
      '10 %  100 of 1,000  10/s  7 failed  1 min 30 s left',
    ])
    progress.stop()
    clock.advance(60_000)
    assert.equal(lines.length, 2)
  })

  it('is none where none is wanted', () => {
    const { clock, lines } = started('quiet')
    clock.advance(60_000)
    assert.deepEqual(lines, [])
  })
})

describe('the text of the progress', () => {
  const standing: Standing = { written: 123_456, failures: 17, total: 1_000_000, open: 5_000, children: undefined }

  it('fits into any number of columns, and keeps failures and the time left for as long as they fit', () => {
    for (let columns = 1; columns <= 120; columns++) {
      const text = progressText(standing, 250, columns, 'bar')
      assert.ok(text.length <= columns, text)
      if (columns >= 27) assert.match(text, /17 failed +58 min 26 s left$/)
      if (columns >= 34) assert.match(text, /250\/s/)
      if (columns >= 39) assert.match(text, /12 %/)
      if (columns >= 80) assert.match(text, /^█+░+  12 %  123,456 of 1,000,000  250\/s/)
    }
  })

  it('has no time where nobody knows how much there is', () => {
    assert.equal(
      progressText({ ...standing, total: undefined }, 250, 80, 'bar'),
      '123,456  250/s  17 failed  5,000 under way',
    )
  })
})
