// A delay is a number of seconds, and its bits are the queues that it passes: level n holds a message for 2^n seconds and
// hands it to the exchange of the level below. The bits stand in the routing key, so that the broker alone does it all.

/** 2^28 seconds are eight and a half years. */
export const LEVELS = 28
export const STEP_MS = 1_000
export const MOST_DELAY_MS = (2 ** LEVELS - 1) * STEP_MS

/** A delay in whole steps, never less than asked. */
export function stepsOf(delayMs: number): number {
  return Math.ceil(delayMs / STEP_MS)
}

/** The highest level that so many steps pass; there has to be one step at least. */
export function highestLevel(steps: number): number {
  return 31 - Math.clz32(steps)
}

/** What a message carries through the levels: a word for each bit, the highest first, and where it is to come out. */
export function delayKey(steps: number, queue: string): string {
  const bits = steps.toString(2).padStart(LEVELS, '0').split('')
  return `${bits.join('.')}.${queue}`
}

/** Matches the keys whose bit of this level is so. */
export function bitPattern(level: number, bit: '0' | '1'): string {
  return `${'*.'.repeat(LEVELS - 1 - level)}${bit}.#`
}

/** Matches the keys that come out at this queue, whatever their bits. */
export function duePattern(queue: string): string {
  return '*.'.repeat(LEVELS) + queue
}
