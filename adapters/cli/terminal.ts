/** Where a command writes: answers to `out`, everything about how it goes to `err`. */
export interface Terminal {
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

export const terminal: Terminal = {
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
