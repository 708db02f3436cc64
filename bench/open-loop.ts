import { nowMs } from './board.ts'

/**
 * Calls at the instants of a schedule, whatever became of the calls before: a caller that waits for its answer would
 * hide every delay behind the next call that it did not make. `fire` gets the instant at which it was meant to be called.
 * Resolves after the last call.
 */
export function openLoop(schedule: Iterator<number, undefined>, fire: (meantAt: number) => void): Promise<void> {
  const startedAt = nowMs()
  let next = schedule.next()
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const now = nowMs()
      while (next.done !== true && startedAt + next.value <= now) {
        fire(startedAt + next.value)
        next = schedule.next()
      }
      if (next.done !== true) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
}

/** Instants in ms from the start, evenly spaced. */
export function* evenly(perSecond: number, seconds: number): Generator<number, undefined> {
  for (let at = 0; at < perSecond * seconds; at++) yield (at * 1_000) / perSecond
  return undefined
}

/** Instants in ms from the start, as independent callers come; the same ones for the same seed. */
export function* atRandom(perSecond: number, seconds: number, seed: number): Generator<number, undefined> {
  let state = seed
  for (let at = 0; ; ) {
    // A linear congruential generator: good enough for gaps, and it needs no dependency.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    at -= (Math.log((state + 1) / 2 ** 32) * 1_000) / perSecond
    if (at >= seconds * 1_000) return undefined
    yield at
  }
}
