import {
  errorOf,
  type Fields,
  fieldsOf,
  linesOf,
  malformed,
  matching,
  objectOf,
  oneOf,
  shortText,
  textOf,
  wholeFrom,
} from './hostile.ts'
import { JOB_ID, PUBLICATIONS, TASK_NAME } from './envelope.ts'
import type { AttemptRecord } from './job.ts'
import { TEN_YEARS_MS } from './options.ts'
import type { LogLine } from './outcome.ts'

/** What a claim came to where it ran, on its way to the node that has the job. Durations, since clocks differ. */
export interface HomewardOutcome {
  readonly id: string
  readonly task: string
  /** As others see it. */
  readonly claim: number
  readonly transition: HomewardTransition
  /** Attempts that are charged now. */
  readonly attempt: number
  /** How long the row is kept; it is dropped where absent. */
  readonly keepMs?: number
  /** Whether the result is kept with it. */
  readonly keeps?: 'output'
  /** When the next attempt is due. */
  readonly nextInMs?: number
  /** How long the attempt ran; absent if it never started. */
  readonly ranMs?: number
  readonly record?: AttemptRecord
  /** Encoded result; '' for `undefined`, and for every other end. */
  readonly output: string
}

/** The ends, and what is no end: 'retry' and 'snooze' say that it goes on elsewhere. */
export const homewardTransitions = ['succeed', 'retry', 'snooze', 'die', 'discard', 'cancel-running', 'expire'] as const

export type HomewardTransition = (typeof homewardTransitions)[number]

export function isEnd({ transition }: Pick<HomewardOutcome, 'transition'>): boolean {
  return transition !== 'retry' && transition !== 'snooze'
}

const RECORD_TYPES = ['succeeded', 'failed', 'snoozed', 'discarded', 'cancelled', 'crashed'] as const
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
const MOST_AT = 8.64e15
const MOST_REASON = 65_536
const MOST_LOG_LINES = 200
/** Of a message; one outcome alone may be larger. */
export const MOST_OUTCOMES = 200
export const MOST_OUTCOMES_BYTES = 256 * 1024

/** Two lines: what it came to, and its result. JSON has no line breaks of its own. */
export function encodeOutcome({ output, ...header }: HomewardOutcome): string {
  return `${JSON.stringify(header)}\n${output}\n`
}

/** What nearly all come to. */
export type PlainSuccess = Pick<HomewardOutcome, 'id' | 'task' | 'claim' | 'attempt' | 'output'> & {
  readonly ranMs: number | undefined
}

/** The same text as `encodeOutcome` at half the cost: ids and names of tasks have nothing to be escaped. */
export function encodeSuccess({ id, task, claim, attempt, ranMs, output }: PlainSuccess): string {
  const ran = ranMs === undefined ? '' : `,"ranMs":${ranMs}`
  return `{"id":"${id}","task":"${task}","claim":${claim},"transition":"succeed","attempt":${attempt}${ran}}\n${output}\n`
}

/** How long the node that has the job keeps one that has not run, if it says nothing else. */
const KEEP_UNRUN_MS = 7 * 24 * 3_600_000

/** Of a job that has ended where it waited to be run. */
export function encodeUnrun(
  job: Pick<HomewardOutcome, 'id' | 'task' | 'claim' | 'attempt'>,
  transition: 'expire' | 'cancel-running',
): string {
  return encodeOutcome({ ...job, transition, keepMs: KEEP_UNRUN_MS, output: '' })
}

/** Outcomes on their way to a queue, one after the other. */
export interface OutcomesFor {
  readonly queue: string
  /** How many. */
  readonly outcomes: number
  readonly text: string
}

/** What fits into a message, by queue, in the order in which they are given. */
export function grouped<T extends OutcomesFor>(all: readonly T[]): readonly (readonly [T, ...T[]])[] {
  const groups: [T, ...T[]][] = []
  const open = new Map<string, { readonly group: T[]; outcomes: number; bytes: number }>()
  for (const each of all) {
    const { queue, outcomes } = each
    const bytes = Buffer.byteLength(each.text)
    const known = open.get(queue)
    const fits = known !== undefined && known.outcomes + outcomes <= MOST_OUTCOMES
    if (fits && known.bytes + bytes <= MOST_OUTCOMES_BYTES) {
      known.group.push(each)
      known.outcomes += outcomes
      known.bytes += bytes
      continue
    }
    const group: [T, ...T[]] = [each]
    open.set(queue, { group, outcomes, bytes })
    groups.push(group)
  }
  return groups
}

/** The text of a group. */
export function joined(group: readonly OutcomesFor[]): string {
  return group.map(({ text }) => text).join('')
}

/** Throws `MILLRACE_MESSAGE_MALFORMED`: nothing of such a message is believed. */
export function decodeOutcomes(body: Uint8Array): readonly HomewardOutcome[] {
  const lines: Uint8Array[] = []
  for (const line of linesOf(body)) {
    if (lines.push(line) > 2 * MOST_OUTCOMES + 1) break
  }
  if (lines.pop()?.length !== 0 || lines.length % 2 !== 0 || lines.length === 0) {
    throw malformed('body', `${lines.length} lines`, `two for each of 1 to ${MOST_OUTCOMES} outcomes`)
  }
  const outcomes: HomewardOutcome[] = []
  for (let at = 0; at < lines.length; at += 2) {
    const path = `outcomes[${at / 2}]`
    outcomes.push(
      outcomeOf(fieldsOf(lines[at] as Uint8Array, path), textOf(lines[at + 1] as Uint8Array, `${path}.output`)),
    )
  }
  return outcomes
}

function outcomeOf(header: Fields, output: string): HomewardOutcome {
  const { keepMs, keeps, nextInMs, ranMs, record } = header
  return {
    id: matching(header['id'], JOB_ID, 'id'),
    task: matching(header['task'], TASK_NAME, 'task'),
    claim: wholeFrom(header['claim'], PUBLICATIONS, Number.MAX_SAFE_INTEGER, 'claim'),
    transition: oneOf(header['transition'], homewardTransitions, 'transition'),
    attempt: wholeFrom(header['attempt'], 0, 1e9, 'attempt'),
    ...(keepMs !== undefined && { keepMs: wholeFrom(keepMs, 0, TEN_YEARS_MS, 'keepMs') }),
    ...(keeps !== undefined && { keeps: oneOf(keeps, ['output'], 'keeps') }),
    ...(nextInMs !== undefined && { nextInMs: wholeFrom(nextInMs, 0, TEN_YEARS_MS, 'nextInMs') }),
    ...(ranMs !== undefined && { ranMs: span(ranMs, 'ranMs') }),
    ...(record !== undefined && { record: recordOf(objectOf(record, 'record')) }),
    output,
  }
}

function recordOf(fields: Fields): AttemptRecord {
  const { startedAt, error, reason, log } = fields
  return {
    claim: wholeFrom(fields['claim'], 0, Number.MAX_SAFE_INTEGER, 'record.claim'),
    attempt: wholeFrom(fields['attempt'], 0, 1e9, 'record.attempt'),
    ...(startedAt !== undefined && { startedAt: wholeFrom(startedAt, 0, MOST_AT, 'record.startedAt') }),
    endedAt: wholeFrom(fields['endedAt'], 0, MOST_AT, 'record.endedAt'),
    type: oneOf(fields['type'], RECORD_TYPES, 'record.type'),
    ...(error !== undefined && { error: errorOf(error, 'record.error') }),
    ...(reason !== undefined && { reason: shortText(reason, MOST_REASON, 'record.reason') }),
    ...(log !== undefined && { log: logOf(log) }),
  }
}

function logOf(value: unknown): readonly LogLine[] {
  if (!Array.isArray(value) || value.length > MOST_LOG_LINES) {
    throw malformed('record.log', value, `at most ${MOST_LOG_LINES} lines`)
  }
  return value.map((line: unknown) => {
    const { at, level, message, fields } = objectOf(line, 'record.log')
    return {
      at: span(at, 'record.log.at'),
      level: oneOf(level, LOG_LEVELS, 'record.log.level'),
      message: shortText(message, 65_536, 'record.log.message'),
      ...(fields !== undefined && { fields: objectOf(fields, 'record.log.fields') }),
    }
  })
}

function span(value: unknown, path: string): number {
  if (typeof value === 'number' && value >= 0 && value <= MOST_AT) return value
  throw malformed(path, value, 'milliseconds')
}
