import type { Clock } from '../../lib/clock.ts'

const LOOK_MS = 5

/** Resolves when the condition holds or the time is over. */
export function until(clock: Clock, condition: () => boolean, ms: number): Promise<void> {
  const endsAt = clock.monotonicMs() + ms
  return new Promise((resolve) => {
    const look = () => {
      if (condition() || clock.monotonicMs() >= endsAt) resolve()
      else clock.setTimer(LOOK_MS, look)
    }
    look()
  })
}
