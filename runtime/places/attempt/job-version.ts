import type { JobOverrides } from '../../../lib/job.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { AnyTask } from '../../../lib/task.ts'
import { TOO_NEW_MS, tooNew } from '../../../lib/version.ts'
import type { AttemptContext } from './attempt-context.ts'

/** The version of a job's input, from the JSON of its overrides; 1 for nearly every job. */
export function versionIn(overrides: string | null): number {
  if (overrides === null || !overrides.includes('"version"')) return 1
  return (JSON.parse(overrides) as JobOverrides).version ?? 1
}

/**
 * What becomes of a job that was enqueued by a newer service, as in the middle of an upgrade or after one was taken back:
 * it comes again later, uncharged, and says why in its history. It is never failed by who cannot read it.
 */
export function tooNewOutcome(task: AnyTask, context: AttemptContext): Outcome | undefined {
  if (!tooNew(task, context.version)) return undefined
  const { name, version = 1 } = task
  context.log.warn(
    `the input of ${name} has version ${context.version}, which is too new; this process reads up to ${version}; ` +
      'update it: until then the job waits',
  )
  return { type: 'snoozed', delayMs: TOO_NEW_MS, ...(context.lines !== undefined && { log: context.lines }) }
}
