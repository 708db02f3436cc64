import type { AnyTask, TaskManifest } from './context.ts'
import { MillraceError } from './errors.ts'
import { invalidOption, wholeNumber } from './options.ts'

/** A job that is too new for a process without a broker comes back after so long: another one may have taken over. */
export const TOO_NEW_MS = 30_000

const MOST_VERSIONS = 1_000_000

/** What a task says of the shape of its input. */
export interface VersionOptions<Input> {
  /** Which shape its input has: one more with each change that older handlers cannot read. Default 1. */
  readonly version?: number
  /**
   * Makes an input of this version from one that was enqueued in an older one; called where the handler runs, before the
   * schema. With a version above 1 it has to be there. What it throws makes the job dead (`MILLRACE_INPUT_INVALID`).
   */
  readonly upgrade?: (input: unknown, fromVersion: number) => Input
}

/** The checked options; nothing for a task of the first version. */
export function versionOf({ version = 1, upgrade }: VersionOptions<unknown>): VersionOptions<unknown> {
  wholeNumber(version, 1, MOST_VERSIONS, 'version')
  if (version === 1) {
    if (upgrade === undefined) return {}
    throw invalidOption('upgrade', upgrade, 'nothing, since there is no version before 1; say version: 2 with it')
  }
  if (typeof upgrade === 'function') return { version, upgrade }
  throw invalidOption('upgrade', upgrade, `a function (input, fromVersion), since version is ${version}`)
}

/** Checks the version of a job that somebody else has written. */
export function checkedVersion(version: number): number {
  return wholeNumber(version, 1, MOST_VERSIONS, 'version')
}

/** Whether a job of this version has to wait for a process that knows more: this one would misread it. */
export function tooNew(manifest: Pick<TaskManifest, 'version'>, version = 1): boolean {
  return version > (manifest.version ?? 1)
}

/** The input as the task reads it now; throws `MILLRACE_INPUT_INVALID` where that cannot be made of it. */
export function upgraded(task: AnyTask, input: unknown, fromVersion = 1): unknown {
  const { upgrade, version = 1 } = task
  if (upgrade === undefined || fromVersion >= version) return input
  try {
    return upgrade(input, fromVersion)
  } catch (cause) {
    throw new MillraceError(
      'MILLRACE_INPUT_INVALID',
      `the input of ${task.name} cannot be upgraded from version ${fromVersion} to ${version}: ` +
        `${cause instanceof Error ? cause.message : String(cause)}; mend its upgrade, then retry the job`,
      { cause, path: 'input' },
    )
  }
}
