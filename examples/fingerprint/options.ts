import { parseArgs } from 'node:util'

export interface Options {
  readonly directory: string
  /** Only the first so many by name. */
  readonly mostFiles: number
}

export const HELP = `Fingerprint: SHA-256, gzip size and lines of every file below a directory, each computed twice and compared.

node dist/examples/fingerprint/demo.js [DIRECTORY] [MOST_FILES]
  DIRECTORY   node_modules where none is given
  MOST_FILES  only the first so many by name; all where it is not given
  --help      this text

It ends with 0 if both computations agree, 1 if not or if it was used wrongly.`

/** Throws an error with a message for the user. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  if (values.help) return 'help'
  const [directory = 'node_modules', most, ...rest] = positionals
  if (rest.length > 0) throw new Error(`got ${positionals.join(' ')}, expected a directory and a number; see --help`)
  const mostFiles = most === undefined ? Number.POSITIVE_INFINITY : Number(most)
  if (!(mostFiles > 0)) throw new Error(`got ${most} for MOST_FILES, expected a number above 0; see --help`)
  return { directory, mostFiles }
}
