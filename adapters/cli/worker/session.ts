import { createRuntime, type Runtime, type RuntimeOptions } from '../../../runtime/index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { giveGraceToOwnStops } from '../own-stops.ts'
import { Interruption } from '../run/interruption.ts'
import type { Terminal } from '../terminal.ts'
import { logEvents, logLine } from './log-lines.ts'

/** Runs a worker until somebody stops it: by a signal, by the verb drain, or since it cannot go on. */
export async function work(options: RuntimeOptions, graceMs: number, { err }: Terminal): Promise<ExitCode> {
  const interruption = new Interruption(() => err(logLine('ended-at-once', {})))
  const runtime = await createRuntime(options)
  logEvents(runtime, err)
  err(logLine('started', startOf(runtime)))
  giveGraceToOwnStops(runtime, graceMs)
  const ends = endsOf(runtime)
  try {
    await Promise.race([interruption.signal, ends])
    const { stuck } = await runtime.stop({ graceMs })
    if (stuck.length === 0) return exitCodes.ok
    // Nothing else ends a thread that hangs in a native call.
    process.kill(process.pid, 'SIGKILL')
    return exitCodes.killed
  } finally {
    interruption.end()
  }
}

/** Resolves when it stops by itself, and rejects when it has failed. */
function endsOf(runtime: Runtime): Promise<void> {
  return new Promise((resolve, reject) => {
    runtime.once('runtime.stopping', () => resolve())
    runtime.once('runtime.failed', ({ error }) => reject(error))
  })
}

function startOf(runtime: Runtime): object {
  const self = runtime.nodes().find(({ isSelf }) => isSelf)
  return { node: self?.node, places: self?.facts?.places ?? [], tasks: self?.facts?.tasks ?? [] }
}
