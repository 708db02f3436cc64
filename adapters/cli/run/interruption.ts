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
        process.exit(exitCodeOfSignal(signal as EndSignal))
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

export function exitCodeOfSignal(signal: EndSignal) {
  return signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}
