/** When a thread or process makes way for another; a limit that is not named is none. */
export interface RecycleLimits {
  /** Jobs that it has run. */
  readonly jobs?: number | undefined
  /** Since its first job. */
  readonly ageMs?: number | undefined
  /** What it has in memory after a job. */
  readonly memoryMb?: number | undefined
}

/** What a thread or process has come to. */
export interface Usage {
  readonly jobs: number
  readonly ageMs: number
  /** 0 where it is not known. */
  readonly memoryMb: number
}

/** The limit that was reached; 'stray': something of an ended job still acts in it. */
export type RecycleCause = keyof RecycleLimits | 'stray'

/** The first limit that was reached, if any. */
export function causeToRecycle(limits: RecycleLimits, usage: Usage): Exclude<RecycleCause, 'stray'> | undefined {
  const reached = (cause: keyof RecycleLimits) => usage[cause] >= (limits[cause] ?? Number.POSITIVE_INFINITY)
  return (['jobs', 'ageMs', 'memoryMb'] as const).find(reached)
}

/**
 * The memory at which a process makes way that would be killed at `mostMb`: with more than half of what its modules left
 * it gone, the next job might be charged for what earlier ones have kept.
 */
export function memoryToLeaveMb(mostMb: number, baseMb: number): number {
  return baseMb + (mostMb - baseMb) / 2
}
