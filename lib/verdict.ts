/**
 * What a thread does, told from outside: from when its loop last turned, how much of the time the loop was busy, how
 * much of the processor the thread got, and whether it has exited. The thread is asked nothing, so one that can no longer
 * answer is known as well as one that can.
 */

/** How often the loop of every thread says that it turns. */
export const BEAT_MS = 100

/** A loop that has said nothing for this long stands still. */
export const SILENT_MS = 2 * BEAT_MS

/** JavaScript that is told to end is gone within 40 ms (p99); what is alive after this hangs in a native call. */
export const HANGS_MS = 250

/**
 * - `starting`: it loads its tasks.
 * - `idle`: its loop turns, and no job runs on it.
 * - `working`: its loop turns, and it is busy with jobs, or waits for a processor.
 * - `waiting`: its loop turns, and its jobs wait for something: a timer, a socket, another thread.
 * - `spinning`: its loop stands still and it uses the processor: a loop without an end, or a long computation.
 * - `blocked`: its loop stands still and it uses no processor, or it was told to end and has not: a native call.
 * - `unresponsive`: its loop stands still, and this machine does not tell why.
 * - `dead`: it has exited, and the next one has not started yet.
 */
export type Verdict = 'starting' | 'idle' | 'working' | 'waiting' | 'spinning' | 'blocked' | 'unresponsive' | 'dead'

/** `ready`: it has a processor, or would take one. */
export type ThreadState = 'ready' | 'asleep'

/** What can be read of a thread from outside at one moment. All sums are since its start, in ms. */
export interface Reading {
  /** Monotonic ms at which it was taken. */
  readonly at: number
  /** Monotonic ms at which the loop last said that it turns. */
  readonly beatAt: number
  /** How long the loop was busy; `undefined` where that cannot be told. */
  readonly activeMs: number | undefined
  /** How long the thread had a processor; `undefined` where the system does not tell. */
  readonly processorMs: number | undefined
  /** How long it was ready and had to wait for a processor; `undefined` where the system does not tell. */
  readonly queuedMs: number | undefined
  /** `undefined` where the system does not tell. */
  readonly state: ThreadState | undefined
}

/** What the place knows of the thread without looking. */
export interface Standing {
  readonly status: 'starting' | 'serving' | 'exited'
  /** How long ago it was told to end; `undefined` if it was not. */
  readonly toldToEndMs: number | undefined
  /** How long the oldest job on it has run; `undefined` where none runs. */
  readonly longestMs: number | undefined
}

/** A loop that is busy for less than this share of the time waits. */
const BUSY = 0.25
/** A thread that is neither on a processor nor waiting for one for more than this share of the time sleeps. */
const READY = 0.2
/** A thread that gets less than this share of a processor has not been able to turn its loop. */
const SERVED = 0.02

/**
 * The verdict on a thread, from its latest reading, one before it, and what stands in its slots. The earlier one says
 * most if it is of the time since the loop fell silent, or since the job that has run for the longest began.
 */
export function verdictOf(earlier: Reading | undefined, latest: Reading, standing: Standing): Verdict {
  const { status, toldToEndMs = 0 } = standing
  if (status === 'exited') return 'dead'
  if (toldToEndMs >= HANGS_MS) return 'blocked'
  if (status === 'starting') return 'starting'
  return isSilent(latest) ? silent(earlier, latest, standing) : turning(earlier, latest, standing)
}

export function isSilent({ at, beatAt }: Pick<Reading, 'at' | 'beatAt'>): boolean {
  return at - beatAt >= SILENT_MS
}

function turning(earlier: Reading | undefined, latest: Reading, { longestMs }: Standing): Verdict {
  if (longestMs === undefined) return 'idle'
  // What has just begun has had no time to wait.
  if (longestMs < SILENT_MS) return 'working'
  const busy = shareOf('activeMs', earlier, latest) ?? shareOf('processorMs', earlier, latest)
  if (busy === undefined) return 'working'
  return busy < BUSY ? 'waiting' : 'working'
}

function silent(earlier: Reading | undefined, latest: Reading, { longestMs }: Standing): Verdict {
  // What the thread did before it fell silent says nothing about the silence.
  const isOfSilence = earlier !== undefined && earlier.at >= latest.beatAt
  const processor = isOfSilence ? shareOf('processorMs', earlier, latest) : undefined
  if (processor === undefined) return 'unresponsive'
  const busyShare = shareOf('activeMs', earlier, latest)
  const queuedShare = queuedShareOf(earlier, latest)
  const wouldTurn = longestMs === undefined ? 'idle' : 'working'
  if (isBetweenTurns(busyShare)) return wouldTurn
  // Where nobody tells how long it was queued, a thread that got anything at all wants more.
  if (queuedShare === undefined) return processor < SERVED ? 'blocked' : 'spinning'
  if (processor + queuedShare < READY) return 'blocked'
  const heldMs = heldMsOf({ silentMs: latest.at - latest.beatAt, busyShare, queuedShare })
  return processor >= SERVED && heldMs >= BEAT_MS / 2 ? 'spinning' : wouldTurn
}

export interface Silence {
  readonly silentMs: number
  readonly busyShare: number | undefined
  readonly queuedShare: number | undefined
}

/** How long somebody has held a silent loop: not the time in which its thread waited for a processor. */
export function heldMsOf({ silentMs, busyShare, queuedShare }: Silence): number {
  return isBetweenTurns(busyShare) ? 0 : silentMs * (1 - (queuedShare ?? 0))
}

/** A silent loop that is not busy would begin its next turn if its thread got a processor. */
function isBetweenTurns(busyShare: number | undefined): boolean {
  return busyShare !== undefined && busyShare < BUSY
}

/**
 * How much of the time between two readings a thread was ready and had no processor. The kernel counts a wait when it ends:
 * of one that still lasts it says nothing but that the thread is ready.
 */
export function queuedShareOf(earlier: Reading | undefined, latest: Reading): number | undefined {
  const queued = shareOf('queuedMs', earlier, latest)
  if (queued === undefined || earlier?.state !== 'ready' || latest.state !== 'ready') return queued
  return 1 - (shareOf('processorMs', earlier, latest) ?? 0)
}

/** How much of the time between two readings; `undefined` where one of them does not know. */
export function shareOf(
  what: 'activeMs' | 'processorMs' | 'queuedMs',
  earlier: Reading | undefined,
  latest: Reading,
): number | undefined {
  const before = earlier?.[what]
  const after = latest[what]
  if (earlier === undefined || before === undefined || after === undefined || latest.at <= earlier.at) return undefined
  return Math.min(1, Math.max(0, (after - before) / (latest.at - earlier.at)))
}
