import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { Behavior } from '../../lib/actor.ts'

/** A callback that hangs until it is let go. */
export class Hang {
  open!: () => void
  fail!: (error: unknown) => void
  enter!: () => Promise<void>
  readonly entered: Promise<void>

  constructor() {
    const passed = new Promise<void>((resolve, reject) => {
      this.open = resolve
      this.fail = reject
    })
    this.entered = new Promise((resolve) => {
      this.enter = () => {
        resolve()
        return passed
      }
    })
  }
}

/** Long enough for what must not happen, if it would happen. */
export async function someTurns(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await turn()
}

/** Lets the loop turn until it is so; when an actor is run depends on what else the machine does. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !isSo(); turns++) await turn()
  assert.ok(isSo(), `${isSo.toString()} within 1,000 turns of the loop`)
}

/** An actor that notes what it is called with. */
export function noting(log: unknown[], behavior: Partial<Behavior<string>> = {}): Behavior<string> {
  return {
    start: () => void log.push('start'),
    receive: (message) => void log.push(message),
    stop: (ending) => void log.push(ending),
    ...behavior,
  }
}
