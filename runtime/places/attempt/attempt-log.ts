import { toErrorRecord } from '../../../lib/error-record.ts'
import type { Json } from '../../../lib/json.ts'
import type { LogLine } from '../../../lib/outcome.ts'
import { encodePayload } from '../../../lib/payload.ts'

const MAX_LINES = 200
const MAX_BYTES = 32 * 1024

/**
 * The lines of one attempt, made into plain data when they are written: what a handler changes afterwards is not in them,
 * and nothing in them can be what a thread cannot post. Whatever was passed as a message is a text here.
 */
export class AttemptLog {
  readonly #now: () => number
  readonly #lines: LogLine[] = []
  #bytesLeft = MAX_BYTES
  #dropped = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Where lines were dropped the last one says how many. */
  get lines(): readonly LogLine[] {
    if (this.#dropped === 0) return this.#lines
    const kept = this.#lines.slice(0, MAX_LINES - 1)
    const dropped = this.#dropped + this.#lines.length - kept.length
    const message = `… ${dropped} more; an attempt keeps ${MAX_LINES} lines and ${MAX_BYTES} bytes`
    return [...kept, { at: this.#now(), level: 'warn', message }]
  }

  /** Throws only for fields that are not self-contained JSON values. */
  write(level: LogLine['level'], message: unknown, fields?: Readonly<Record<string, Json>>): void {
    const json = fields === undefined || fields === null ? '' : encodePayload(fields, 'log fields')
    if (this.#lines.length >= MAX_LINES || this.#bytesLeft <= 0) {
      this.#dropped++
      return
    }
    const text = cut(textOf(message), this.#bytesLeft)
    this.#bytesLeft -= Buffer.byteLength(text)
    this.#lines.push({ at: this.#now(), level, ...this.#withFields(text, json) })
  }

  #withFields(message: string, json: string): Pick<LogLine, 'message' | 'fields'> {
    if (json === '') return { message }
    const bytes = Buffer.byteLength(json)
    if (bytes > this.#bytesLeft) return { message: `${message} … (${bytes} bytes of fields were too many)` }
    this.#bytesLeft -= bytes
    const fields: unknown = JSON.parse(json)
    return { message, fields: isRecord(fields) ? fields : { fields } }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Of an error its stack, which begins with its name and message. */
function textOf(message: unknown): string {
  if (typeof message === 'string') return message
  const { name, message: text, stack } = toErrorRecord(message)
  return stack ?? (name === 'Thrown' ? text : `${name}: ${text}`)
}

function cut(text: string, most: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  // The last character may have been cut in two.
  const kept = bytes.toString('utf8', 0, most).replace(/\uFFFD$/, '')
  return `${kept} … (cut; it had ${bytes.length} bytes)`
}
