import type { Clock } from './clock.ts'

/** What the promise gives or throws, unless `ms` are over before that: then what `late` gives or throws. */
export function within<T, Late>(
  clock: Pick<Clock, 'setTimer'>,
  ms: number,
  promise: Promise<T>,
  late: () => Late | Promise<Late>,
): Promise<T | Late> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ms, () => void (async () => late())().then(resolve, reject))
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}
