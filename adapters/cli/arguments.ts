import { parseArgs, type ParseArgsConfig } from 'node:util'
import { MillraceError, nearest } from '../../lib/errors.ts'
import { invalidOption, wholeNumber } from '../../lib/options.ts'

/** The options and words of a command line; throws `MILLRACE_CLI` for what the command does not know. */
export function parseArguments<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    const { message } = error as Error
    const wrong = /'(--?[^'= ]+)/.exec(message)?.[1]
    const near = wrong === undefined ? undefined : nearest(wrong.replace(/^-+/, ''), Object.keys(config.options ?? {}))
    const advice = near === undefined || `--${near}` === wrong ? 'look at --help' : `did you mean --${near}?`
    throw new MillraceError('MILLRACE_CLI', `${message.split(/\.(?:\s|$)/)[0]}; ${advice}`, {
      cause: error,
      ...(wrong !== undefined && { path: wrong }),
    })
  }
}

/** The words after the options: one for each name, unless the last name ends in '...'. */
export function words(positionals: readonly string[], names: readonly string[]): readonly string[] {
  const open = names.at(-1)?.endsWith('...') === true
  if (positionals.length < names.length) {
    const missing = names[positionals.length] as string
    throw new MillraceError('MILLRACE_CLI', `got no ${missing}, expected ${names.join(' ')}; look at --help`)
  }
  if (!open && positionals.length > names.length) {
    throw new MillraceError(
      'MILLRACE_CLI',
      `got ${JSON.stringify(positionals[names.length])}, expected ${names.join(' ') || 'no word'}; look at --help`,
    )
  }
  return positionals
}

/** Refuses options that would say nothing beside another one: who gives them expects that they do. */
export function refuseBeside(what: string, values: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const given = names.find((name) => values[name] !== undefined && values[name] !== false)
  if (given === undefined) return
  throw new MillraceError(
    'MILLRACE_CLI',
    `got --${given}, expected none beside ${what}; leave it out, or look at --help`,
    {
      path: `--${given}`,
    },
  )
}

/** The number of an option such as `--threads 2`. */
export function numberOption(name: string, text: string, least: number, most: number): number {
  if (/^\s*[+-]?\d[\d.e+]*\s*$/i.test(text)) return wholeNumber(Number(text), least, most, `--${name}`)
  throw invalidOption(`--${name}`, text, `an integer from ${least} to ${most}`)
}
