import { existsSync, readFileSync } from 'node:fs'

// What a worker has run, written down by itself and in no journal: a line as a job begins, and one as it ends. The lines
// are in the page cache when a job goes on, so they outlive a kill -9.

export interface Note {
  /** Epoch ms. */
  readonly at: number
  readonly what: 'begins' | 'succeeds' | 'fails'
  readonly task: string
  readonly job: string
}

export function lineOf({ at, what, task, job }: Note): string {
  return `${at} ${what} ${task} ${job}\n`
}

/** All notes of a worker, in their order; none if it has written no diary. */
export function readDiary(file: string): readonly Note[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [at, what, task, job] = line.split(' ') as [string, Note['what'], string, string]
    return { at: Number(at), what, task, job }
  })
}

/** Jobs that had begun and not ended when the last line was written. */
export function underWay(diary: readonly Note[]): readonly Note[] {
  const latest = new Map(diary.map((note) => [note.job, note]))
  return [...latest.values()].filter(({ what }) => what === 'begins')
}

/** When a job began for the first time after so much. */
export function beganAfter(diary: readonly Note[], job: string, at: number): number | undefined {
  return diary.find((note) => note.job === job && note.what === 'begins' && note.at >= at)?.at
}
