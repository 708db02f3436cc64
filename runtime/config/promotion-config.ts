import type { Ladder, Rung } from '../../lib/ladder.ts'
import { duration, invalidOption, refuseUnknown, wholeNumber } from '../../lib/options.ts'

export interface RungConfig {
  readonly tier: string
  /** What the p95 of a task's run times may be here, in ms. Default: no bound, which is for the last one. */
  readonly budgetMs?: number
}

export interface PromotionConfig {
  /** Tiers by rising budget; `default`, where such tasks begin, among them. */
  readonly ladder?: readonly RungConfig[]
  /** Runs that a p95 needs to be believed. Default 50. */
  readonly minRuns?: number
  /** How long a task that has moved is not promoted; twice as long after each demotion. Default 60,000. */
  readonly coolDownMs?: number
}

const START = 'default'
const USUAL: readonly RungConfig[] = [{ tier: 'fast', budgetMs: 100 }, { tier: START }]

/** The ladder that the options say; none where it is switched off, or where the usual one has no tiers to go to. */
export function ladderOf(promotion: PromotionConfig | 'off' | undefined, tiers: readonly string[]): Ladder | undefined {
  if (promotion === 'off') return undefined
  if (promotion === undefined) return USUAL.every(({ tier }) => tiers.includes(tier)) ? ladder({}, tiers) : undefined
  refuseUnknown(promotion, ['ladder', 'minRuns', 'coolDownMs'], 'promotion.')
  return ladder(promotion, tiers)
}

function ladder(
  { ladder = USUAL, minRuns = 50, coolDownMs = 60_000 }: PromotionConfig,
  tiers: readonly string[],
): Ladder {
  if (!Array.isArray(ladder) || ladder.length < 2) {
    throw invalidOption('promotion.ladder', ladder, "at least two tiers, or promotion: 'off'")
  }
  const rungs = (ladder as readonly RungConfig[]).map((rung, at) => rungOf(rung, `promotion.ladder[${at}]`, tiers))
  rungs.forEach(({ budgetMs }, at) => {
    if (at > 0 && budgetMs <= (rungs[at - 1] as Rung).budgetMs) {
      throw invalidOption(`promotion.ladder[${at}].budgetMs`, budgetMs, 'more than the one before')
    }
  })
  if (!rungs.some(({ tier }) => tier === START)) {
    throw invalidOption(
      'promotion.ladder',
      rungs.map(({ tier }) => tier).join(', '),
      `${START} among them, where tasks begin`,
    )
  }
  return {
    rungs,
    minRuns: wholeNumber(minRuns, 1, 1e6, 'promotion.minRuns'),
    coolDownMs: duration(coolDownMs, 'promotion.coolDownMs'),
  }
}

function rungOf(rung: RungConfig, path: string, tiers: readonly string[]): Rung {
  refuseUnknown(rung, ['tier', 'budgetMs'], `${path}.`)
  const { tier, budgetMs = Number.POSITIVE_INFINITY } = rung
  if (!tiers.includes(tier))
    throw invalidOption(`${path}.tier`, tier, `one of the runtime's tiers: ${tiers.join(', ')}`)
  if (typeof budgetMs === 'number' && budgetMs > 0) return { tier, budgetMs }
  throw invalidOption(`${path}.budgetMs`, budgetMs, 'milliseconds above 0')
}
