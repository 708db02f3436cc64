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
export function stopOnSignals(
  runtime: Runtime,
  { signals = ['SIGTERM', 'SIGINT'], graceMs = 10_000 }: SignalOptions = {},
) {
  graceOf({ graceMs })
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
