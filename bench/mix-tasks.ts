import { setTimeout as sleep } from 'node:timers/promises'
import { defineTask, type Task } from '../runtime/index.ts'
import { board, nowMs } from './board.ts'

/** Instants by `nowMs`: when the replay began, and when the job was enqueued. */
export interface MixInput {
  readonly beganAt: number
  readonly at: number
  readonly ms: number
}

/** A second of the replay and a wait in ms, as one number: the board keeps nothing else. */
const SECOND = 1e7

export function waitsBySecond(samples: Iterable<number>): Map<number, number[]> {
  const seconds = new Map<number, number[]>()
  for (const sample of samples) {
    const second = Math.floor(sample / SECOND)
    const waits = seconds.get(second) ?? []
    waits.push(sample % SECOND)
    seconds.set(second, waits)
  }
  return seconds
}

function spin(ms: number): void {
  for (const end = nowMs() + ms; nowMs() < end; );
}

function quick({ beganAt, at, ms }: MixInput): void {
  const now = nowMs()
  board.record(Math.floor((at - beganAt) / 1_000) * SECOND + Math.min(SECOND - 1, now - at))
  spin(ms)
}

const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Holds its thread without the processor, so that two cores can replay what thirty-two threads did. */
function long({ ms }: MixInput): void {
  Atomics.wait(nobody, 0, 0, ms)
}

/** The two kinds of work on threads, by the tiers that they name. */
export interface MixTasks {
  readonly quick: Task<MixInput, void>
  readonly long: Task<MixInput, void>
}

/** They name no tier: all start in `default`. */
export const unnamedQuick = defineTask({ name: 'mix.quick', run: quick })
export const unnamedLong = defineTask({ name: 'mix.long', run: long })
/** Somebody has looked at their run times and said where they belong. */
export const namedQuick = defineTask({ name: 'mix.named-quick', tier: 'fast', run: quick })
export const namedLong = defineTask({ name: 'mix.named-long', tier: 'default', run: long })

/** Waits for somebody else, on the service's own loop. */
export const calling = defineTask({
  name: 'mix.calling',
  lane: 'network',
  run: async ({ ms }: MixInput): Promise<void> => {
    await sleep(ms)
  },
})
