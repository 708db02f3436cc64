import { isEnded } from '../../../lib/job-state.ts'
import type { JournalReader } from '../../../runtime/cli-support.ts'
import { type KeyForm, lineOfJob } from './line-keys.ts'
import { LineSet } from './line-set.ts'
import type { Written } from './outcome-file.ts'

/** What earlier runs have left in the journal. */
export interface Leftovers {
  /** Jobs whose line has still to be written, by line. */
  readonly unwritten: ReadonlyMap<number, string>
  /** Jobs that succeeded and whose line is in the output: only their row is left. */
  readonly removable: readonly string[]
  /** Lines of the output that count no more, since somebody has retried their jobs. */
  readonly superseded: LineSet
}

/** Compares the journal with the output. Where both know of a line, the journal is the truth. */
export function findLeftovers(reader: JournalReader, task: string, keys: KeyForm, written: Written): Leftovers {
  const unwritten = new Map<number, string>()
  const removable: string[] = []
  const superseded = new LineSet()
  for (const job of reader.jobsOf(task)) {
    const { id, state } = job
    const line = lineOfJob(job, keys)
    if (line === undefined) continue
    if (state === 'succeeded' && written.succeeded.has(line)) removable.push(id)
    else if (isEnded(state) && state !== 'succeeded' && written.others.has(line)) continue
    else {
      unwritten.set(line, id)
      if (written.has(line)) superseded.add(line)
    }
  }
  return { unwritten, removable, superseded }
}
