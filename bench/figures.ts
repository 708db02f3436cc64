import { createHistogram } from 'node:perf_hooks'
import type { Range } from './bench.ts'

/** The middle of the values; of an even number the mean of both. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper
}

/** Lowest and highest. */
export function rangeOf(values: readonly number[]): Range {
  return { low: Math.min(...values), high: Math.max(...values) }
}

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Percentiles in milliseconds, to three figures, of durations in milliseconds. */
export function percentiles(durationsMs: Iterable<number>): Percentiles {
  // In µs, since a histogram holds integers from 1 on.
  const histogram = createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 })
  for (const ms of durationsMs) histogram.record(Math.max(1, Math.round(ms * 1_000)))
  return {
    count: histogram.count,
    p50: histogram.percentile(50) / 1_000,
    p99: histogram.percentile(99) / 1_000,
    max: histogram.max / 1_000,
  }
}
