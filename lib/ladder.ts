/**
 * Which tier a task belongs to that names none, by how long its jobs run. The tiers of a ladder are its rungs, fastest
 * first: a task belongs on the first whose budget its run times keep. Promotion needs patience and headroom, demotion only
 * a reason, because one slow task on a fast tier costs all that are there, and a fast one on a slow tier only itself.
 */

export interface Rung {
  readonly tier: string
  /** What the p95 of a task's run times may be here, in ms; Infinity on the last rung. */
  readonly budgetMs: number
}

export interface Ladder {
  /** By rising budget. */
  readonly rungs: readonly Rung[]
  /** Runs that a p95 needs to be believed. */
  readonly minRuns: number
  /** A task that has moved is not promoted for so long, and after each demotion twice as long. */
  readonly coolDownMs: number
}

/** What is known of a task. */
export interface Standing {
  readonly tier: string
  /** When it was moved last, in epoch ms; `undefined` for one that never was. */
  readonly movedAt: number | undefined
  /** How often it was demoted since it was first promoted. */
  readonly demotions: number
  /** Runs since the last move. */
  readonly runs: number
  /** Of those runs; `undefined` for none. */
  readonly p95Ms: number | undefined
  /** The longest of them, one that still runs included. */
  readonly longestMs: number
}

/** Why a task was moved: what was measured, and against what. */
export interface MoveEvidence {
  readonly reason: 'fits' | 'exceeds' | 'spike'
  readonly p95Ms: number | undefined
  readonly runs: number
  readonly longestMs: number
  /** Of the faster of the two tiers. */
  readonly budgetMs: number
}

export interface Move {
  readonly from: string
  readonly to: string
  readonly evidence: MoveEvidence
}

/** A promotion leaves so much of the budget unused: a p95 that wanders around it must not climb and fall. */
const HEADROOM = 0.8

/** Soon after a promotion the p95 of a few runs may exceed the budget by chance: this much is no chance. */
const CLEAR_EXCESS = 1.5

/** One run that is so many times over the budget holds up the whole tier: nobody waits for more of them. */
export const SPIKE = 10

/** The cool-down doubles with each demotion, up to so many times. */
const MAX_DOUBLINGS = 6

/** Where the task should go, if anywhere. */
export function nextMove(ladder: Ladder, standing: Standing, now: number): Move | undefined {
  const at = ladder.rungs.findIndex(({ tier }) => tier === standing.tier)
  if (at < 0) return undefined
  return demotion(ladder, standing, at, now) ?? promotion(ladder, standing, at, now)
}

function demotion(ladder: Ladder, standing: Standing, at: number, now: number): Move | undefined {
  const { p95Ms, longestMs } = standing
  const rung = ladder.rungs[at] as Rung
  if (longestMs > rung.budgetMs * SPIKE)
    return moveTo(ladder, standing, at, slower(ladder, at, longestMs / SPIKE), 'spike')
  if (p95Ms === undefined || standing.runs < ladder.minRuns) return undefined
  // However often it was demoted: what is slow for long must not stay for long.
  const allowedMs = moved(standing, now, ladder.coolDownMs) ? rung.budgetMs * CLEAR_EXCESS : rung.budgetMs
  return p95Ms > allowedMs ? moveTo(ladder, standing, at, slower(ladder, at, p95Ms), 'exceeds') : undefined
}

function promotion(ladder: Ladder, standing: Standing, at: number, now: number): Move | undefined {
  const { p95Ms, longestMs } = standing
  if (p95Ms === undefined || standing.runs < ladder.minRuns || coolsDown(ladder, standing, now)) return undefined
  const fits = ({ budgetMs }: Rung) => p95Ms <= budgetMs * HEADROOM && longestMs <= budgetMs * SPIKE
  const to = ladder.rungs.findIndex(fits)
  return to >= 0 && to < at ? moveTo(ladder, standing, at, to, 'fits') : undefined
}

function coolsDown({ coolDownMs }: Ladder, standing: Standing, now: number): boolean {
  return moved(standing, now, coolDownMs * 2 ** Math.min(standing.demotions, MAX_DOUBLINGS))
}

/** Whether the last move is less than so long ago. */
function moved({ movedAt }: Standing, now: number, withinMs: number): boolean {
  // A clock that was set back must not lengthen the wait.
  return movedAt !== undefined && Math.abs(now - movedAt) < withinMs
}

/** The first rung below this one whose budget is enough. */
function slower({ rungs }: Ladder, at: number, ms: number): number {
  const to = rungs.findIndex(({ budgetMs }, rung) => rung > at && budgetMs >= ms)
  return to < 0 ? rungs.length - 1 : to
}

function moveTo(
  ladder: Ladder,
  standing: Standing,
  at: number,
  to: number,
  reason: MoveEvidence['reason'],
): Move | undefined {
  if (to === at) return undefined
  const { p95Ms, runs, longestMs } = standing
  const { budgetMs } = ladder.rungs[Math.min(at, to)] as Rung
  return {
    from: standing.tier,
    to: (ladder.rungs[to] as Rung).tier,
    evidence: { reason, p95Ms, runs, longestMs, budgetMs },
  }
}
