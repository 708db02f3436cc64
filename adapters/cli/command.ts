import type { ExitCode } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** One command of `millrace`. */
export interface Command {
  readonly name: string
  /** What it does, in half a line. */
  readonly summary: string
  /** What `--help` prints. */
  readonly help: string
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>
}
