import { ledgerLines } from './scratch.ts'

/** A line that a traced task has written. */
export interface Traced {
  readonly type: 'start' | 'end'
  readonly key: string
  /** Epoch ms. */
  readonly at: number
  readonly id: string
}

export function readTraced(file: string): Traced[] {
  return ledgerLines(file).map((words) => {
    const [type, key, at, id] = words as [Traced['type'], string, string, string]
    return { type, key, at: Number(at), id }
  })
}

/** The most jobs of a key that ran at once. */
export function mostAtOnce(lines: readonly Traced[], key: string): number {
  let running = 0
  let most = 0
  for (const line of lines) {
    if (line.key !== key) continue
    running += line.type === 'start' ? 1 : -1
    most = Math.max(most, running)
  }
  return most
}

/** The most starts of a key in any window of this length. */
export function mostStarts(lines: readonly Traced[], key: string, windowMs: number): number {
  const starts = lines.filter((line) => line.type === 'start' && line.key === key).map(({ at }) => at)
  starts.sort((a, b) => a - b)
  return Math.max(0, ...starts.map((first) => starts.filter((at) => at >= first && at < first + windowMs).length))
}
