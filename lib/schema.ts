import { type ErrorCode, MillraceError } from './errors.ts'

/**
 * The Standard Schema interface, version 1 (https://standardschema.dev), which zod, valibot and arktype implement. The
 * specification asks to copy it rather than to depend on it.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

const SHOWN_ISSUES = 5

/**
 * What the schema makes of a value; a promise only where the schema answers later. Throws or rejects with
 * `MILLRACE_INPUT_INVALID` or `MILLRACE_OUTPUT_INVALID`, the path of the first issue and the messages of the first five; also with what the
 * schema itself throws, as `cause`.
 */
export function parseWith(schema: StandardSchemaV1, value: unknown, what: 'input' | 'output', path: string): unknown {
  const failed = (cause: unknown): never => {
    throw failedSchema(cause, what, path)
  }
  let result: SchemaResult<unknown> | PromiseLike<SchemaResult<unknown>>
  try {
    result = schema['~standard'].validate(value)
  } catch (cause) {
    return failed(cause)
  }
  if (!isLater(result)) return valueOf(result, what, path)
  return Promise.resolve(result).then((settled) => valueOf(settled, what, path), failed)
}

/** Some promises are of no class of ours. */
function isLater<T extends object>(result: T | PromiseLike<T>): result is PromiseLike<T> {
  return typeof (result as Partial<PromiseLike<T>> | undefined)?.then === 'function'
}

/** The same value would only make it throw again, so it is one that does not fit. */
function failedSchema(cause: unknown, what: 'input' | 'output', path: string): MillraceError {
  const got = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return new MillraceError(
    codeOf(what),
    `the task's schema for the ${what} threw; got ${got}, expected issues, or a value; mend the ${what}, or let the ` +
      'schema refuse what it cannot read',
    { cause, path },
  )
}

function codeOf(what: 'input' | 'output'): ErrorCode {
  return what === 'input' ? 'MILLRACE_INPUT_INVALID' : 'MILLRACE_OUTPUT_INVALID'
}

function valueOf(result: SchemaResult<unknown>, what: 'input' | 'output', path: string): unknown {
  if (result.issues === undefined) return result.value
  const shown = result.issues.slice(0, SHOWN_ISSUES).map((issue) => `${pathOf(issue, path)}: ${issue.message}`)
  const more = result.issues.length > SHOWN_ISSUES ? ` (and ${result.issues.length - SHOWN_ISSUES} more)` : ''
  const [first] = result.issues
  throw new MillraceError(
    codeOf(what),
    `the ${what} does not fit the task's schema; ${shown.join('; ')}${more}; mend the ${what}, or the schema`,
    { path: first === undefined ? path : pathOf(first, path) },
  )
}

function pathOf({ path: parts = [] }: SchemaIssue, root: string): string {
  return parts.reduce<string>((path, part) => {
    const key = typeof part === 'object' ? part.key : part
    return typeof key === 'number' ? `${path}[${key}]` : `${path}.${String(key)}`
  }, root)
}
