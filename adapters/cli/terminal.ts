/** Where a command writes: answers to `out`, everything about how it goes to `err`. */
export interface Terminal {
  /** How much is told of an error: with `--verbose` its stack and its causes too. */
  readonly detail: 'short' | 'verbose'
  readonly isInteractive: boolean
  readonly columns: number
  out(text: string): void
  err(text: string): void
}

/**
 * Keeps standard output for an answer that other programs read: what handlers print goes to standard error from now on.
 * Returns the way to standard output.
 */
export function reserveStandardOutput(): (content: Buffer) => Promise<void> {
  const { stdout, stderr } = process
  const write = stdout.write.bind(stdout)
  stdout.write = stderr.write.bind(stderr)
  return (content) => new Promise((resolve) => write(content, () => resolve()))
}

/** The arguments that are options: what stands behind `--` is none. */
function optionsAmong(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--')
  return end < 0 ? args : args.slice(0, end)
}

export const terminal: Terminal = {
  detail: optionsAmong(process.argv.slice(2)).includes('--verbose') ? 'verbose' : 'short',
  isInteractive: process.stderr.isTTY === true,
  get columns() {
    // A terminal that nobody has sized says 0.
    return process.stderr.columns || 80
  },
  out: (text) => {
    process.stdout.write(`${text}\n`)
  },
  err: (text) => {
    process.stderr.write(`${text}\n`)
  },
}
