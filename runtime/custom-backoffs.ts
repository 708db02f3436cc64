import type { ErrorRecord } from '../lib/error-record.ts'
import { MillraceError, nearest } from '../lib/errors.ts'
import { invalidOption, TEN_YEARS_MS } from '../lib/options.ts'
import type { CustomBackoffs } from '../lib/retry.ts'
import type { TaskManifest } from '../lib/task.ts'
import type { CustomBackoff } from './config/backoffs-config.ts'

type Configured = ReadonlyMap<string, CustomBackoff>

/**
 * Throws for a task whose backoff is not among those of the runtime: it is misspelt. A runtime that has none at all, such
 * as that of a test, runs such a task all the same, with the default.
 */
export function refuseUnknownBackoff({ name, retry }: TaskManifest, configured: Configured): void {
  const { backoff } = retry
  if (backoff.type === 'custom' && configured.size > 0 && !configured.has(backoff.name)) {
    throw unknown(`retry.backoff.name of ${name}`, backoff.name, configured)
  }
}

/**
 * The backoffs of the runtime, which decide a job whatever they do: of one that is missing (a job may name it as well),
 * that throws or returns no milliseconds, the default is used, and `tell` hears why, once for each name.
 */
export class ToldBackoffs implements CustomBackoffs {
  readonly #configured: Configured
  readonly #tell: (error: Error) => void
  readonly #told = new Set<string>()

  constructor(configured: Configured, tell: (error: Error) => void) {
    this.#configured = configured
    this.#tell = tell
  }

  get(name: string): (attempt: number, error: ErrorRecord) => number | undefined {
    return (attempt, error) => this.#delay(name, attempt, error)
  }

  #delay(name: string, attempt: number, error: ErrorRecord): number | undefined {
    const custom = this.#configured.get(name)
    if (custom === undefined) {
      return this.#unusable(name, () => unknown('retry.backoff.name of a job', name, this.#configured))
    }
    let delayMs: unknown
    try {
      delayMs = custom(attempt, error)
    } catch (cause) {
      return this.#unusable(name, () => thrown(name, cause))
    }
    if (isDelay(delayMs)) return delayMs
    // What it rejects with is nobody's: it would end the service.
    if (delayMs instanceof Promise) delayMs.catch(() => undefined)
    return this.#unusable(name, () => invalidOption(`backoffs.${name}`, delayMs, `${EXPECTED}; ${MEANWHILE}`))
  }

  #unusable(name: string, errorOf: () => Error): undefined {
    if (this.#told.has(name)) return
    this.#told.add(name)
    this.#tell(errorOf())
  }
}

function isDelay(delayMs: unknown): delayMs is number {
  return typeof delayMs === 'number' && delayMs >= 0 && delayMs <= TEN_YEARS_MS
}

const EXPECTED = 'a function that returns milliseconds from 0 to ten years'
const MEANWHILE = 'the default backoff is used instead'

function unknown(path: string, got: string, configured: Configured): MillraceError {
  const names = [...configured.keys()]
  const near = nearest(got, names)
  const listed = names.length === 0 ? `which has none; ${MEANWHILE}` : `one of ${names.join(', ')}`
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return invalidOption(path, got, `a name from the runtime's option backoffs, ${listed}${hint}`)
}

function thrown(name: string, cause: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `the function backoffs.${name} has thrown; expected ${EXPECTED}; ${MEANWHILE}; see the cause, and mend it`,
    { path: `backoffs.${name}`, cause },
  )
}
