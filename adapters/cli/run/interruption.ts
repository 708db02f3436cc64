import { exitCodes } from '../exit-codes.ts'

export type EndSignal = 'SIGINT' | 'SIGTERM'

/** The first signal is a wish to end, and a promise here; a second one ends the process at once. */
export class Interruption {
  readonly signal: Promise<EndSignal>
  readonly #remove: () => void

  constructor(onSecond: () => void) {
    let asked: 'no' | 'yes' = 'no'
    let resolve: (signal: EndSignal) => void = () => {}
    this.signal = new Promise((resolved) => {
      resolve = resolved
    })
    const listener = (signal: NodeJS.Signals) => {
      if (asked === 'yes') {
        onSecond()
        endBySignal(signal as EndSignal)
      }
      asked = 'yes'
      resolve(signal as EndSignal)
    }
    process.on('SIGINT', listener).on('SIGTERM', listener)
    this.#remove = () => void process.off('SIGINT', listener).off('SIGTERM', listener)
  }

  end(): void {
    this.#remove()
  }
}

/**
 * Ends the process by the signal itself, as if nobody had listened: `process.exit` waits for threads, and nothing ends one
 * that is in a native call. A shell sees 130 or 143 all the same.
 */
export function endBySignal(signal: EndSignal): never {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  // The first process of a container is not ended by it.
  process.exit(exitCodeOfSignal(signal))
}

export function exitCodeOfSignal(signal: EndSignal) {
  return signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}
