import { createReadStream } from 'node:fs'
import { systemClock } from '../../../lib/clock.ts'
import type { AnyTask } from '../../../lib/task.ts'
import { JournalReader } from '../../../runtime/cli-support.ts'
import { createRuntime, type Runtime } from '../../../runtime/index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { Terminal } from '../terminal.ts'
import { count, duration } from '../text.ts'
import { compareInput, feed } from './feed.ts'
import { assertInput, InputLines } from './input-lines.ts'
import { type EndSignal, exitCodeOfSignal, Interruption } from './interruption.ts'
import { findLeftovers, type Leftovers } from './leftovers.ts'
import { LineRun } from './line-run.ts'
import { openOutcomes, type OutcomeFile, readWritten, type Written } from './outcome-file.ts'
import { Progress } from './progress.ts'
import { RunMark } from './run-mark.ts'
import { Tally } from './tally.ts'
import { findTask, importTasks, placesFor } from './tasks-module.ts'

export interface RunSettings {
  readonly module: string
  readonly task: string
  readonly input: string
  readonly output: string
  readonly whenComplete: 'print' | 'leave'
  readonly journal: string
  readonly size: { readonly threads?: number; readonly concurrency?: number }
  readonly attempts: number | undefined
  readonly graceMs: number
  readonly progress: 'shown' | 'quiet'
}

/** Everything that a run works with. */
interface Parts {
  readonly runtime: Runtime
  readonly task: AnyTask
  readonly settings: RunSettings
  readonly terminal: Terminal
  readonly written: Written
  readonly mark: RunMark
  readonly left: Leftovers
  readonly output: OutcomeFile
}

/** A bound on rows would delete results before their line is written; the run itself bounds how many there are. */
const UNBOUNDED_ROWS = 1e9
const KEEP_ENDED_MS = 3650 * 24 * 3_600_000
const CHILDREN_LOOK_MS = 50

/** Runs the whole input, or what earlier runs have left of it. */
export async function runLines(settings: RunSettings, terminal: Terminal): Promise<ExitCode> {
  assertInput(settings.input)
  const module = await importTasks(settings.module)
  const task = findTask(module, settings.task)
  const places = placesFor(module, task, settings.size)
  const written = await readWritten(settings.output)
  const limits = { maxResults: UNBOUNDED_ROWS, maxEnded: UNBOUNDED_ROWS, keepEndedMs: KEEP_ENDED_MS }
  const runtime = await createRuntime({
    tasks: module.url,
    journal: { file: settings.journal, ...limits },
    ...places,
  })
  try {
    const files = await openFiles(runtime, task, settings, written)
    try {
      return await work({ runtime, task, settings, terminal, written, ...files })
    } finally {
      files.mark.close()
      await files.output.close()
    }
  } finally {
    await runtime.stop({ graceMs: 0 })
  }
}

async function openFiles(runtime: Runtime, task: AnyTask, settings: RunSettings, written: Written) {
  const reader = new JournalReader(settings.journal)
  let mark: RunMark | undefined
  try {
    mark = new RunMark(runtime, settings.journal, task.name, reader.counts().length > 0 ? 'yes' : 'no')
    if (settings.input !== '-') await compareInput(settings.input, mark)
    const left = findLeftovers(reader, task.name, written)
    return { mark, left, output: await openOutcomes(settings.output, written, left.superseded) }
  } catch (error) {
    mark?.close()
    throw error
  } finally {
    reader.close()
  }
}

async function work(parts: Parts): Promise<ExitCode> {
  const { runtime, settings, terminal, written, mark } = parts
  const input = new InputLines(settings.input, mark.lines)
  const tally = new Tally(written, input)
  const startedAt = systemClock.monotonicMs()
  const { run, failure } = startLines(parts, tally)
  const progress = new Progress(
    terminal,
    () => ({ written: tally.written, failures: tally.failures, total: tally.total, open: run.open }),
    settings.progress,
  )
  const interruption = new Interruption(() => terminal.err('ended at once; run the same command again to go on'))
  progress.start()
  try {
    const all = feedAll(parts, input, tally, run).then(() => complete(runtime, run))
    all.catch(() => undefined)
    const end = await Promise.race([all, interruption.signal, failure])
    if (end === 'complete') return await conclude(parts, tally, systemClock.monotonicMs() - startedAt, progress)
    progress.stop()
    return await drain(parts, run, tally, end)
  } finally {
    progress.stop()
    interruption.end()
  }
}

function startLines(parts: Parts, tally: Tally) {
  const { runtime, task, settings, output, left } = parts
  let fail: (error: unknown) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    fail = reject
  })
  failure.catch(() => undefined)
  const run = new LineRun({
    runtime,
    task,
    output,
    attempts: settings.attempts,
    written(finished) {
      for (const { state } of finished) tally.add(state)
    },
    failed: fail,
  })
  runtime.on('place.stopped', ({ error }) => fail(error)).on('runtime.failed', ({ error }) => fail(error))
  for (const id of left.removable) void runtime.job(id).remove().catch(fail)
  for (const [line, id] of left.unwritten) run.resume(line, runtime.job(id))
  return { run, failure }
}

async function feedAll({ written, left, mark, settings }: Parts, input: InputLines, tally: Tally, run: LineRun) {
  await feed({
    input,
    mark,
    compared: settings.input === '-' ? 'on the way' : 'before',
    isKnown: (line) => written.has(line) || left.unwritten.has(line),
    isStopping: () => run.isStopping,
    start: (line) => run.start(line),
    blank: () => tally.addBlank(),
  })
  tally.endOfInput()
}

/** Jobs that the lines' jobs have enqueued belong to the run as well. */
async function complete(runtime: Runtime, run: LineRun): Promise<'complete'> {
  await run.finished()
  for (;;) {
    const tasks = await runtime.tasks()
    const open = tasks.filter(
      ({ place, jobs }) => place !== undefined && (jobs.available ?? 0) + (jobs.running ?? 0) > 0,
    )
    if (open.length === 0) return 'complete'
    await new Promise<void>((resolve) => systemClock.setTimer(CHILDREN_LOOK_MS, resolve))
  }
}

async function conclude({ runtime, settings, terminal }: Parts, tally: Tally, tookMs: number, progress: Progress) {
  await runtime.stop()
  progress.stop()
  if (settings.progress === 'shown') {
    terminal.err(
      `${count(tally.written)} lines: ${count(tally.succeeded)} succeeded, ${count(tally.failures)} failed; ` +
        `${count(tally.now)} of them now, in ${duration(tookMs)}`,
    )
  }
  if (settings.whenComplete === 'print') await print(settings.output)
  return tally.failures === 0 ? exitCodes.ok : exitCodes.failed
}

/** Starts nothing more, lets running jobs end within the grace, writes what has ended, says how to go on. */
async function drain({ runtime, settings, terminal }: Parts, run: LineRun, tally: Tally, signal: EndSignal) {
  terminal.err(`${signal}: running jobs get ${duration(settings.graceMs)} to end; once more (Ctrl-C) ends them at once`)
  run.stop()
  await runtime.stop({ graceMs: settings.graceMs })
  await run.flush()
  terminal.err(
    `interrupted: ${count(tally.written)} lines are in ${settings.output}; run the same command again to go on`,
  )
  return exitCodeOfSignal(signal)
}

async function print(path: string): Promise<void> {
  for await (const chunk of createReadStream(path)) {
    if (process.stdout.write(chunk as Buffer)) continue
    await new Promise((resolve) => process.stdout.once('drain', resolve))
  }
}
