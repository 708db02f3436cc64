/** How much a bench does: 'full' for figures to quote, 'quick' for a look, 'once' to see that it still runs. */
export type Scale = 'full' | 'quick' | 'once'

export type Unit = 'jobs/s' | 'messages/s' | 'commits/s' | 'ms' | 'µs' | 'MB' | 'jobs'

/** Lowest and highest of the runs. */
export interface Range {
  readonly low: number
  readonly high: number
}

/** What the figure is measured against, in the same run. */
export interface Against {
  readonly name: string
  readonly value: number
  /** Figure ÷ what it is measured against; where both were measured in turn, the median over the turns. */
  readonly ratio: number
  readonly ratioRange: Range
}

export interface Target {
  /** As in the table of targets: '>= 0.20 x', '<= 15 ms'. */
  readonly text: string
  readonly verdict: 'ok' | 'below'
}

/** One line of the table. */
export interface Figure {
  readonly what: string
  /** The median of the runs. */
  readonly value: number
  readonly unit: Unit
  readonly runs: number
  readonly range?: Range
  readonly against?: Against
  readonly target?: Target
  /** What must be known to read the figure. */
  readonly note?: string
}

/** A bench measures one row or one group of rows of docs/performance.md. */
export interface Bench {
  readonly name: string
  /** One line for `--help`. */
  readonly about: string
  run(scale: Scale): Promise<readonly Figure[]>
}

/** The setting of the present scale. */
export function pick<T>(scale: Scale, of: Readonly<Record<Scale, T>>): T {
  return of[scale]
}

/** A target that is met from `least` up. */
export function atLeast(value: number, least: number, unit: string): Target {
  return { text: `>= ${least} ${unit}`, verdict: value >= least ? 'ok' : 'below' }
}

/** A target that is met up to `most`. */
export function atMost(value: number, most: number, unit: string): Target {
  return { text: `<= ${Number(most.toFixed(1))} ${unit}`, verdict: value <= most ? 'ok' : 'below' }
}
