import { systemClock } from '../../../lib/clock.ts'
import { isEnded } from '../../../lib/job-state.ts'
import { JournalReader } from '../../../runtime/cli-support.ts'
import type { Runtime } from '../../../runtime/index.ts'
import { plural } from '../text.ts'
import { type KeyForm, lineOfJob } from './line-keys.ts'

const LOOK_MS = 50

/** Jobs that the lines' jobs have enqueued: they belong to the run as well, but for those that wait for a time. */
export class Children {
  /** How many are due or run, once all lines have their outcome; `undefined` before. */
  underWay: number | undefined

  /** Resolves when none is due that a task of the module handles. */
  async finished(runtime: Runtime): Promise<void> {
    for (;;) {
      const ours = (await runtime.tasks()).filter(({ place }) => place !== undefined)
      this.underWay = ours.reduce((sum, { jobs }) => sum + (jobs.available ?? 0) + (jobs.running ?? 0), 0)
      if (this.underWay === 0) return
      await new Promise<void>((resolve) => systemClock.setTimer(LOOK_MS, resolve))
    }
  }
}

type Counts = ReadonlyMap<string, number>

/** What is left of them in the journal, by task. */
export interface ChildrenLeft {
  readonly failed: Counts
  /** They wait for a task that the module does not handle. */
  readonly unhandled: Counts
  /** They wait for their time. */
  readonly scheduled: Counts
}

/** Where to look for them, and what tells them. */
export interface ChildrenOf {
  /** One that nobody owns any more. */
  readonly journal: string
  /** That of the lines. */
  readonly task: string
  readonly keys: KeyForm
  /** All tasks of the module. */
  readonly handled: readonly string[]
}

export function childrenLeft({ journal, task, keys, handled }: ChildrenOf): ChildrenLeft {
  const left = { failed: new Map(), unhandled: new Map(), scheduled: new Map() } as {
    readonly [Name in keyof ChildrenLeft]: Map<string, number>
  }
  const count = (name: string, state: Parameters<typeof isEnded>[0], jobs: number) => {
    if (state === 'succeeded') return
    const counts = isEnded(state) ? left.failed : handled.includes(name) ? left.scheduled : left.unhandled
    counts.set(name, (counts.get(name) ?? 0) + jobs)
  }
  const reader = new JournalReader(journal)
  try {
    for (const { task: name, state, jobs } of reader.counts()) if (name !== task) count(name, state, jobs)
    for (const job of reader.jobsOf(task)) if (lineOfJob(job, keys) === undefined) count(task, job.state, 1)
  } finally {
    reader.close()
  }
  return left
}

/** A line for each kind of them that somebody has to do something about. */
export function tellChildren({ failed, unhandled, scheduled }: ChildrenLeft): string[] {
  return [
    told(failed, (jobs, tasks) => `${jobs} that lines have enqueued failed, of ${tasks}: look with millrace jobs`),
    told(
      unhandled,
      (jobs, tasks) =>
        `${jobs} that lines have enqueued wait for what the module does not handle, ${tasks}: export the handler, ` +
        'and run the same command again',
    ),
    told(scheduled, (jobs) => `${jobs} that lines have enqueued wait for their time: run the same command again then`),
  ].flat()
}

function told(counts: Counts, text: (jobs: string, tasks: string) => string): string[] {
  const sum = [...counts.values()].reduce((total, each) => total + each, 0)
  return sum === 0 ? [] : [text(plural(sum, 'job'), [...counts.keys()].join(', '))]
}
