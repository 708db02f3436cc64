import { constants } from 'node:os'
import { invalidOption, refuseUnknown } from '../lib/options.ts'
import type { Runtime } from './runtime.ts'
import { graceOf } from './supervise/drain.ts'

export interface SignalOptions {
  /** Default: SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[]
  /** What running jobs get to end. Default 10,000. */
  readonly graceMs?: number
}

/**
 * Stops the runtime when the process is asked to end, then ends it by the same signal, so that whoever sent it sees what
 * it expects. A second signal ends it at once. Returns a function that takes the handlers away.
 *
 * With a thread that hangs in a native call the process is killed: nothing else ends it before that call does. It is
 * killed too when so many hang that the runtime drains by itself.
 */
export function stopOnSignals(runtime: Runtime, options: SignalOptions = {}): () => void {
  const { signals, graceMs } = checked(runtime, options)
  let stopping: 'no' | 'yes' = 'no'
  const handlers = signals.map((signal) => {
    const handler = () => {
      if (stopping === 'yes') return end(signal)
      stopping = 'yes'
      runtime.stop({ graceMs }).then(
        ({ stuck }) => (stuck.length > 0 ? process.kill(process.pid, 'SIGKILL') : end(signal)),
        () => end(signal),
      )
    }
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  const unfit = () => void runtime.stop({ graceMs }).finally(() => process.kill(process.pid, 'SIGKILL'))
  runtime.on('runtime.unfit', unfit)
  const remove = () => {
    runtime.off('runtime.unfit', unfit)
    for (const off of handlers) off()
  }
  const end = (signal: NodeJS.Signals) => {
    remove()
    process.kill(process.pid, signal)
  }
  return remove
}

/** What no handler can be had for. */
const NOT_TO_BE_CAUGHT: readonly string[] = ['SIGKILL', 'SIGSTOP']

function checked(runtime: Runtime, options: SignalOptions): Required<SignalOptions> {
  // A promise of a runtime, most likely, that was not awaited.
  if (typeof runtime?.stop !== 'function' || typeof runtime.on !== 'function') {
    throw invalidOption('runtime', runtime, 'what createRuntime resolves to; await it')
  }
  refuseUnknown(options, ['signals', 'graceMs'], '')
  const { signals = ['SIGTERM', 'SIGINT'], graceMs = 10_000 } = options
  if (!Array.isArray(signals)) throw invalidOption('signals', signals, "a list of signals, as in ['SIGTERM']")
  signals.forEach((signal, at) => {
    if (typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !NOT_TO_BE_CAUGHT.includes(signal))
      return
    throw invalidOption(`signals[${at}]`, signal, 'a signal that a process can listen for, like SIGTERM')
  })
  // A signal with two handlers would be its own second one.
  return { signals: [...new Set<NodeJS.Signals>(signals)], graceMs: graceOf({ graceMs }) }
}
