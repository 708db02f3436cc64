import { beganAfter, type Note, readDiary } from './diary.ts'
import type { Kill } from './course.ts'
import { paths, WORKERS } from './settings.ts'

/** What the diaries of the workers tell when all is done. */
export interface Runs {
  readonly byTask: ReadonlyMap<string, TaskRuns>
  readonly again: readonly Rerun[]
}

export interface TaskRuns {
  /** By worker, in the order of `WORKERS`: runs that succeeded. */
  readonly succeeded: readonly number[]
  /** Jobs that succeeded more than once: who had done or sent them was killed before it could say so to the broker. */
  readonly twice: number
}

/** Whatever the journals say. */
export function runsOf(folder: string, kill: Kill | undefined): Runs {
  const again = kill?.type !== 'worker' ? [] : begunAgain(kill.running, kill.diedAt, folder)
  return { byTask: runsByTask(folder), again }
}

function runsByTask(folder: string): ReadonlyMap<string, TaskRuns> {
  const diaries = WORKERS.map((worker) =>
    readDiary(paths.diary(folder, worker)).filter(({ what }) => what === 'succeeds'),
  )
  const tasks = new Set(diaries.flat().map(({ task }) => task))
  return new Map(
    [...tasks].map((task) => {
      const runs = diaries.map((diary) => diary.filter((note) => note.task === task).map(({ job }) => job))
      return [
        task,
        { succeeded: runs.map(({ length }) => length), twice: runs.flat().length - new Set(runs.flat()).size },
      ]
    }),
  )
}

/** A run that has begun in the place of one that a kill has ended. */
export interface Rerun {
  readonly worker: (typeof WORKERS)[number]
  /** Epoch ms. */
  readonly at: number
}

/** Where and when jobs began again that ran on worker-1 when it died; those that have not are left out. */
export function begunAgain(running: readonly Note[], diedAt: number, folder: string): readonly Rerun[] {
  const diaries = WORKERS.map((worker) => ({ worker, diary: readDiary(paths.diary(folder, worker)) }))
  return running.flatMap(({ job, at: begunAt }) => {
    const reruns = diaries.flatMap(({ worker, diary }) => {
      // The broker may know of the death before we do; what is older on worker-1 is of its life before.
      const at = beganAfter(diary, job, worker === 'worker-1' ? diedAt : begunAt)
      return at === undefined ? [] : [{ worker, at }]
    })
    return reruns.sort((a, b) => a.at - b.at).slice(0, 1)
  })
}
