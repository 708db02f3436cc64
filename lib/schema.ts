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
 * `MILLRACE_INPUT_INVALID` or `MILLRACE_OUTPUT_INVALID`, the path of the first issue and the messages of the first five.
 */
export function parseWith(schema: StandardSchemaV1, value: unknown, what: 'input' | 'output', path: string): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise
    ? result.then((settled) => valueOf(settled, what, path))
    : valueOf(result, what, path)
}

function valueOf(result: SchemaResult<unknown>, what: 'input' | 'output', path: string): unknown {
  if (result.issues === undefined) return result.value
  const code: ErrorCode = what === 'input' ? 'MILLRACE_INPUT_INVALID' : 'MILLRACE_OUTPUT_INVALID'
  const shown = result.issues.slice(0, SHOWN_ISSUES).map((issue) => `${pathOf(issue, path)}: ${issue.message}`)
  const more = result.issues.length > SHOWN_ISSUES ? ` (and ${result.issues.length - SHOWN_ISSUES} more)` : ''
  const [first] = result.issues
  throw new MillraceError(code, `the ${what} does not fit the task's schema; ${shown.join('; ')}${more}`, {
    path: first === undefined ? path : pathOf(first, path),
  })
}

function pathOf({ path: parts = [] }: SchemaIssue, root: string): string {
  return parts.reduce<string>((path, part) => {
    const key = typeof part === 'object' ? part.key : part
    return typeof key === 'number' ? `${path}[${key}]` : `${path}.${String(key)}`
  }, root)
}
