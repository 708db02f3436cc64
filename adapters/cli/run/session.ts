import { createReadStream, existsSync } from 'node:fs'
import { systemClock } from '../../../lib/clock.ts'
import type { AnyTask } from '../../../lib/task.ts'
import { JournalReader } from '../../../runtime/cli-support.ts'
import { createRuntime, type Runtime } from '../../../runtime/index.ts'
import { type ExitCode, exitCodeOf, exitCodes } from '../exit-codes.ts'
import { giveGraceToOwnStops } from '../own-stops.ts'
import { reportError } from '../report-error.ts'
import type { Terminal } from '../terminal.ts'
import { count, duration, plural } from '../text.ts'
import { Children, childrenLeft, tellChildren } from './children.ts'
import { compareInput, feed } from './feed.ts'
import { InputLines } from './input-lines.ts'
import { endBySignal, type EndSignal, exitCodeOfSignal, Interruption } from './interruption.ts'
import { findLeftovers, type Leftovers } from './leftovers.ts'
import { LineRun } from './line-run.ts'
import { allBackoffs } from './module-backoffs.ts'
import { assertOurs, openOutcomes, type OutcomeFile, readWritten, type Written } from './outcome-file.ts'
import { placeBeside, refuseMoved, refuseOfAnotherRun, tellAhead } from './own-output.ts'
import { assertPaths, isStream } from './paths.ts'
import { Progress } from './progress.ts'
import { RunMark } from './run-mark.ts'
import { Standstill } from './standstill.ts'
import { Tally } from './tally.ts'
import { findTask, importTasks, placesFor } from './tasks-module.ts'

export interface RunSettings {
  readonly module: string
  readonly task: string
  readonly input: string
  readonly output: string
  /** Takes the whole output once the run is complete; `undefined` where a file is what was asked for. */
  readonly print: ((content: Buffer) => Promise<void>) | undefined
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
  /** The names of all tasks of the module. */
  readonly handled: readonly string[]
  readonly settings: RunSettings
  readonly terminal: Terminal
  readonly written: Written
  readonly mark: RunMark
  readonly left: Leftovers
  readonly output: OutcomeFile
}

/** A bound on rows would delete results before their line is written; the run itself bounds how many there are. */
const UNBOUNDED_ROWS = 1e9
const GO_ON = '; run the same command again to go on'
const KEEP_ENDED_MS = 3650 * 24 * 3_600_000

/** Runs the whole input, or what earlier runs have left of it. */
export async function runLines(settings: RunSettings, terminal: Terminal): Promise<ExitCode> {
  assertPaths(settings)
  const module = await importTasks(settings.module)
  const task = findTask(module, settings.task)
  const places = placesFor(module, task, settings.size)
  const backoffs = allBackoffs([module])
  const handled = module.tasks.map(({ name }) => name)
  const first = await assertOurs(settings.output)
  // In this order: another run that writes lines meanwhile has made its journal before.
  if (first !== undefined && !existsSync(settings.journal)) refuseOfAnotherRun(settings, first, 0)
  const limits = { maxResults: UNBOUNDED_ROWS, maxEnded: UNBOUNDED_ROWS, keepEndedMs: KEEP_ENDED_MS }
  const runtime = await createRuntime({
    tasks: module.url,
    journal: { file: settings.journal, ...limits },
    ...places,
    backoffs,
  })
  giveGraceToOwnStops(runtime, settings.graceMs)
  // Above all what a journal has lost, of which the next run knows nothing any more.
  runtime.on('runtime.error', ({ error }) => terminal.err(`warning: ${error.message}`))
  try {
    const files = await openFiles(runtime, task, settings, terminal)
    try {
      return await work({ runtime, task, handled, settings, terminal, ...files })
    } finally {
      files.mark.close()
      await files.output.close()
    }
  } finally {
    await runtime.stop({ graceMs: 0 })
  }
}

async function openFiles(runtime: Runtime, task: AnyTask, settings: RunSettings, terminal: Terminal) {
  // Not before this process owns the journal: until then another run may write lines.
  const written = await readWritten(settings.output)
  const reader = new JournalReader(settings.journal)
  let mark: RunMark | undefined
  let output: OutcomeFile | undefined
  try {
    mark = new RunMark(runtime, settings.journal, task.name, reader.counts().length > 0 ? 'yes' : 'no')
    refuseMoved(settings, mark.output)
    if (written.last > mark.lines && mark.output === placeBeside(settings)) {
      terminal.err(tellAhead(settings, written.last, mark.lines))
    } else refuseOfAnotherRun(settings, written.last, mark.lines)
    if (!isStream(settings.input)) await compareInput(settings.input, mark)
    const left = findLeftovers(reader, task.name, mark.keys, written)
    output = await openOutcomes(settings.output, written, left.superseded)
    mark.keepOutput(placeBeside(settings))
    return { written, mark, left, output }
  } catch (error) {
    mark?.close()
    await output?.close()
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
  const children = new Children()
  const standing = () => ({
    written: tally.written,
    failures: tally.failures,
    total: tally.total,
    open: run.open,
    children: children.underWay,
  })
  const progress = new Progress(terminal, standing, settings.progress)
  parts.runtime.on('job.stray', ({ id, error }) => {
    progress.tell(`nobody handled ${error.name}: ${error.message} (${id === undefined ? 'of no job' : `job ${id}`})`)
  })
  const interruption = new Interruption(() => terminal.err('ended at once; run the same command again to go on'))
  const standstill = new Standstill(runtime, parts.task.name, settings.graceMs)
  progress.start()
  try {
    const all = feedAll(parts, input, tally, run)
      .then(() => standstill.fed())
      .then(() => run.finished())
      .then(() => children.finished(runtime))
    all.catch(() => undefined)
    const end = await Promise.race([all, interruption.signal, failure, standstill.come])
    if (end === undefined) {
      // Every outcome is on disk: whoever interrupts what is still printed ends it at once.
      interruption.end()
      return await conclude(parts, tally, systemClock.monotonicMs() - startedAt, progress)
    }
    progress.stop()
    return typeof end === 'number' ? await giveUp(parts, run, tally, end) : await drain(parts, run, tally, end)
  } catch (error) {
    progress.stop()
    await endStopped(parts, run, tally, error)
    throw error
  } finally {
    progress.stop()
    standstill.end()
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
  const ends = ({ error }: { readonly error: Error }) => fail(error)
  runtime.on('place.stopped', ends).on('runtime.failed', ends).on('runtime.unfit', ends)
  for (const id of left.removable) void runtime.job(id).remove().catch(fail)
  for (const [line, id] of left.unwritten) run.resume(line, runtime.job(id))
  return { run, failure }
}

async function feedAll({ written, left, mark, settings }: Parts, input: InputLines, tally: Tally, run: LineRun) {
  await feed({
    input,
    mark,
    compared: isStream(settings.input) ? 'on the way' : 'before',
    isKnown: (line) => written.has(line) || left.unwritten.has(line),
    isStopping: () => run.isStopping,
    start: (line) => run.start(line),
    blank: () => tally.addBlank(),
  })
  tally.endOfInput()
}

async function conclude(
  { runtime, settings, terminal, task, handled, mark }: Parts,
  tally: Tally,
  tookMs: number,
  progress: Progress,
): Promise<ExitCode> {
  await runtime.stop()
  progress.stop()
  if (settings.progress === 'shown') {
    terminal.err(
      `${plural(tally.written, 'line')}: ${count(tally.succeeded)} succeeded, ${count(tally.failures)} failed; ` +
        `${count(tally.now)} of them now, in ${duration(tookMs)}`,
    )
  }
  const left = childrenLeft({ journal: settings.journal, task: task.name, keys: mark.keys, handled })
  for (const text of tellChildren(left)) terminal.err(text)
  if (settings.print !== undefined) {
    for await (const chunk of createReadStream(settings.output)) await settings.print(chunk as Buffer)
  }
  return tally.failures + left.failed.size + left.unhandled.size === 0 ? exitCodes.ok : exitCodes.failed
}

/** Starts nothing more, lets running jobs end within the grace, writes what has ended, says how to go on. */
async function drain({ runtime, settings, terminal }: Parts, run: LineRun, tally: Tally, signal: EndSignal) {
  terminal.err(`${signal}: running jobs get ${duration(settings.graceMs)} to end; once more (Ctrl-C) ends them at once`)
  run.stop()
  const { stuck } = await runtime.stop({ graceMs: settings.graceMs })
  await run.flush()
  terminal.err(`interrupted: ${soFar(tally, settings)}${GO_ON}`)
  if (stuck.length > 0) endBySignal(signal)
  return exitCodeOfSignal(signal)
}

/** What is left would be waited for without end: the process ends by itself as it does when it is told to. */
async function giveUp(parts: Parts, run: LineRun, tally: Tally, jobs: number): Promise<ExitCode> {
  const are = jobs === 1 ? 'is' : 'are'
  parts.terminal.err(
    `${plural(jobs, 'job')} ${are} in native calls past the hard limit, which only the end of the process ends`,
  )
  await endStopped(parts, run, tally)
  return exitCodes.incomplete
}

/** What has ended is written before it is said how many lines there are. `error` is why, where it is one. */
async function endStopped(
  { runtime, settings, terminal }: Parts,
  run: LineRun,
  tally: Tally,
  error?: unknown,
): Promise<void> {
  run.stop()
  const stopped = await runtime.stop({ graceMs: 0 }).catch(() => undefined)
  await run.flush()
  // A wrong input says itself what to do about it.
  const goOn = exitCodeOf(error) === exitCodes.usage ? '' : GO_ON
  terminal.err(`stopped: ${soFar(tally, settings)}${goOn}`)
  if (stopped === undefined || stopped.stuck.length === 0) return
  if (error !== undefined) reportError(error, terminal.detail, terminal)
  endBySignal('SIGTERM')
}

function soFar(tally: Tally, { output }: RunSettings): string {
  return `${output} has ${plural(tally.written, 'line')}`
}
