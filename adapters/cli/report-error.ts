import { MillraceError } from '../../lib/errors.ts'
import type { Terminal } from './terminal.ts'

/** Tells why a command has ended: a line of Millrace's own errors, with `--verbose` the stack and the causes. */
export function reportError(error: unknown, detail: 'short' | 'verbose', { err }: Terminal): void {
  const path = error instanceof MillraceError && error.path !== undefined ? ` (${error.path})` : ''
  err(`error: ${textOf(error).replaceAll(/\s*\n\s*/g, ' ')}${path}`)
  if (detail === 'short') return
  for (let each = error; each instanceof Error; each = each.cause) err(each.stack ?? each.message)
}

function textOf(error: unknown): string {
  if (error instanceof MillraceError) return error.message
  if (!(error instanceof Error)) return `INTERNAL: ${String(error)}`
  const { code } = error as { code?: unknown }
  const known = typeof code === 'string' ? code : 'INTERNAL'
  return error.message.startsWith(`${known}: `) ? error.message : `${known}: ${error.message}`
}
