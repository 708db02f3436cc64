import type { Clock, Timer } from '../../../lib/clock.ts'
import { BEAT_MS } from '../../../lib/verdict.ts'
import type { Slots } from '../slots.ts'

/** Says that the loop of this thread turns, until `stop`: that is what tells an idle thread from one that is stuck. */
export function startBeat(slots: Slots, clock: Clock): { stop(): void } {
  let timer: Timer
  const beat = () => {
    slots.beat(clock.monotonicMs())
    timer = clock.setTimer(BEAT_MS, beat)
    timer.unref()
  }
  beat()
  return { stop: () => timer.cancel() }
}
