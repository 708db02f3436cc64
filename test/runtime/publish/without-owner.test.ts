import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createRuntime, type MillraceError, type Runtime } from '../../../runtime/index.ts'
import { journalFiles } from '../../../runtime/journal/files/files.ts'
import { laneEcho } from '../../fixtures/tasks.ts'
import { built, mutant } from '../../helpers/mutant.ts'
import { startNode } from '../../helpers/node-process.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks } from '../../helpers/start-runtime.ts'

const JOBS = 20_000
const AT_ONCE = 100
/** 8,000 pages of log, and what one commit adds to them. */
const LOG_BYTES = 36 * 1024 * 1024

/** Starts its owner, which tells of what it misses among `errors`. */
async function own(test: TestContext, file: string): Promise<{ runtime: Runtime; ran: Set<string>; errors: Error[] }> {
  const errors: Error[] = []
  const ran = new Set<string>()
  const runtime = await createRuntime({
    tasks: fixtureTasks,
    journal: { file },
    tiers: { default: { threads: 1 }, small: { threads: 1 } },
    lanes: { network: { concurrency: 100 } },
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  runtime.on('job.succeeded', ({ id }) => ran.add(id))
  runtime.on('runtime.error', ({ error }) => errors.push(error))
  return { runtime, ran, errors }
}

/** A journal that had an owner. */
async function ownerless(test: TestContext): Promise<string> {
  const file = join(scratchFolder(), 'jobs.db')
  const { runtime } = await own(test, file)
  await runtime.stop()
  return file
}

/** What is on disk of a journal whose owner was killed: its latest commits are in the log. */
async function killed(test: TestContext): Promise<string> {
  const { main, mark, wal } = journalFiles(join(scratchFolder(), 'jobs.db'))
  const { runtime } = await own(test, main)
  for (let value = 0; value < 50; value++) await runtime.enqueue(laneEcho, { value })
  await runtime.idle()
  const image = journalFiles(join(scratchFolder(), 'jobs.db'))
  copyFileSync(mark, image.mark)
  copyFileSync(main, image.main)
  copyFileSync(wal, image.wal)
  return image.main
}

interface Flood {
  readonly ids: readonly string[]
  /** The largest that the log's file was seen. */
  readonly logBytes: number
}

/** A process that publishes so many, or is killed once so many are acknowledged: then it is in the midst of something. */
async function flood(
  test: TestContext,
  file: string,
  { jobs = JOBS, killedAfter = Number.POSITIVE_INFINITY, root = built } = {},
): Promise<Flood> {
  const module = pathToFileURL(join(root, 'test/fixtures/flooding-process.js'))
  const { child, line, exited } = startNode(test, module, file, String(jobs))
  const ids: string[] = []
  let logBytes = 0
  while (ids.length < Math.min(jobs, killedAfter)) {
    ids.push(...(await line('acknowledged')).split(' ').slice(1))
    logBytes = Math.max(logBytes, statSync(journalFiles(file).wal).size)
  }
  if (killedAfter < jobs) child.kill('SIGKILL')
  const { code, signal, errors } = await exited
  assert.deepEqual([code, signal], killedAfter < jobs ? [null, 'SIGKILL'] : [0, null], errors)
  return { ids, logBytes }
}

/** Asserts that the owner runs them all. */
async function assertRun(test: TestContext, file: string, ids: readonly string[]): Promise<number> {
  const { runtime, ran, errors } = await own(test, file)
  await runtime.idle()
  await runtime.stop()
  assert.deepEqual(errors, [])
  assert.deepEqual(
    ids.filter((id) => !ran.has(id)),
    [],
  )
  return ran.size
}

describe('what is published while a journal has no owner', { timeout: 240_000 }, () => {
  it('leaves a bounded log, and is run by the next owner', async (test) => {
    const file = await ownerless(test)
    const { ids, logBytes } = await flood(test, file)
    test.diagnostic(`${ids.length} jobs, at most ${logBytes} bytes of log`)
    assert.ok(logBytes > LOG_BYTES / 2 && logBytes < LOG_BYTES, `${logBytes} bytes of log`)
    assert.equal(await assertRun(test, file, ids), JOBS)
  })

  it('would leave a log of its whole size, if publishers left that to an owner (control)', async (test) => {
    using copy = mutant({
      file: 'runtime/journal/files/log-bounds.js',
      from: '2 * CHECKPOINT_PAGES',
      to: '0',
    })
    const file = await ownerless(test)
    const { logBytes } = await flood(test, file, { root: copy.folder })
    assert.ok(logBytes > 2 * LOG_BYTES, `${logBytes} bytes of log`)
  })

  it('loses nothing that was acknowledged when every process is killed, nor is a loss told', async (test) => {
    const file = await killed(test)
    const before = statSync(file).size
    const ids: string[] = []
    for (let kills = 0; kills < 5; kills++) {
      const killedAfter = AT_ONCE * (20 + Math.floor(Math.random() * 40))
      const flooded = await flood(test, file, { killedAfter })
      test.diagnostic(`killed after ${flooded.ids.length} jobs, at most ${flooded.logBytes} bytes of log`)
      assert.ok(flooded.logBytes < LOG_BYTES)
      ids.push(...flooded.ids)
    }
    assert.ok(statSync(file).size > before + LOG_BYTES / 2, 'the log was moved')
    await assertRun(test, file, ids)
  })

  it('does not hide from the next owner that a tail was lost before', async (test) => {
    const file = await killed(test)
    const { wal } = journalFiles(file)
    const log = readFileSync(wal)
    const at = Math.floor(log.length * 0.7)
    log.writeUInt8(log.readUInt8(at) ^ 1, at)
    writeFileSync(wal, log)
    await flood(test, file, { jobs: 10_000 })
    const { runtime, errors } = await own(test, file)
    await runtime.idle()
    assert.deepEqual(
      errors.map((error) => (error as MillraceError).code),
      ['MILLRACE_JOURNAL_TAIL_LOST'],
    )
  })
})

describe('what is published beside an owner', { timeout: 120_000 }, () => {
  it('is all run, also by two at once, and the log is moved by the owner', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const { runtime, ran, errors } = await own(test, file)
    const floods = await Promise.all([flood(test, file, { jobs: JOBS / 2 }), flood(test, file, { jobs: JOBS / 2 })])
    await runtime.idle()
    test.diagnostic(`at most ${Math.max(...floods.map(({ logBytes }) => logBytes))} bytes of log`)
    assert.equal(ran.size, JOBS)
    assert.deepEqual(
      floods.flatMap(({ ids }) => ids).filter((id) => !ran.has(id)),
      [],
    )
    assert.deepEqual(errors, [])
  })
})
