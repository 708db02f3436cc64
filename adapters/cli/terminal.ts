/** Where a command writes: answers to `out`, everything about how it goes to `err`. */
export interface Terminal {
  readonly isInteractive: boolean
  readonly columns: number
  out(text: string): void
  err(text: string): void
}

export const terminal: Terminal = {
  isInteractive: process.stderr.isTTY === true,
  get columns() {
    return process.stderr.columns ?? 80
  },
  out: (text) => {
    process.stdout.write(`${text}\n`)
  },
  err: (text) => {
    process.stderr.write(`${text}\n`)
  },
}
