import { killsOf } from './report.ts'
import type { Progress } from './siege.ts'

const BAR = 24
const REDRAW_MS = 500
const LINE_MS = 10_000

/** Shows how far it is: a bar where somebody watches, else a line every 10 s. Returns a function that ends it. */
export function showProgress(of: () => Progress, durationMs: number): () => void {
  const isWatched = process.stderr.isTTY
  const show = () => {
    const line = lineOf(of(), durationMs)
    process.stderr.write(isWatched ? `\r\x1b[2K${line}` : `${line}\n`)
  }
  const timer = setInterval(show, isWatched ? REDRAW_MS : LINE_MS)
  return () => {
    clearInterval(timer)
    if (isWatched) process.stderr.write('\r\x1b[2K')
  }
}

export function lineOf({ phase, leftMs, acknowledged, home, kills }: Progress, durationMs: number): string {
  const done = Math.min(1, Math.max(0, 1 - leftMs / durationMs))
  const bar = '#'.repeat(Math.round(done * BAR)).padEnd(BAR, '.')
  const left = phase === 'killing' ? `${clock(leftMs)} left` : phase
  return `[${bar}] ${left}; ${acknowledged} acknowledged, ${home} at home; killed: ${killsOf(kills)}`
}

function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
