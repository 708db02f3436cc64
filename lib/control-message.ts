import type { QueueSpec } from './broker.ts'
import { CONTROL_PREFIX } from './divided.ts'
import type { ErrorRecord } from './error-record.ts'
import {
  errorOf,
  type Fields,
  fieldsOf,
  malformed,
  MOST_LINE_BYTES,
  objectOf,
  oneOf,
  shortText,
  wholeFrom,
} from './hostile.ts'
import type { Json } from './json.ts'
import { parseJobId } from './job.ts'

// What nodes tell and ask each other. Whoever may publish to the broker may send anything: all of it is checked here.

/** Everything that concerns all nodes. */
export const CONTROL_QUEUE = 'control'
/** Of one message. */
export const MOST_CONTROL_BYTES = MOST_LINE_BYTES
export const MOST_CANCELLED_AT_ONCE = 1_000

/** Of places, tasks or nodes in one message. */
export const MOST_NAMES = 1_000

const ANSWERS_MS = 60_000
const MOST_ANSWERS = 10_000
const KEPT_MS = 7 * 24 * 3_600_000
const MOST_KEPT = 100_000

/** Where answers to a node come. */
export function answersQueue(node: string): string {
  return `${CONTROL_PREFIX}answers.${node}`
}

/** Where a node finds the cancels that it has missed. */
export function keptQueue(node: string): string {
  return `${CONTROL_PREFIX}kept.${node}`
}

/** What a node names to `open`, where the broker supports control. */
export function controlQueues(node: string): readonly QueueSpec[] {
  return [
    { name: CONTROL_QUEUE, kind: 'fan' },
    { name: answersQueue(node), kind: 'reply', expiresMs: ANSWERS_MS, most: MOST_ANSWERS },
    { name: keptQueue(node), kind: 'reply', expiresMs: KEPT_MS, most: MOST_KEPT },
  ]
}

/** What a runtime does of the work: it enqueues ('publisher'), it runs jobs ('worker'), or both. */
export type Role = 'publisher' | 'worker' | 'both'

/** What a node tells of itself with every beat. */
export interface NodeFacts {
  /** Whether it enqueues jobs, runs them, or both. */
  readonly role: Role
  /** Name of its machine. */
  readonly host: string
  /** Its process id there. */
  readonly pid: number
  /** Of Millrace. */
  readonly version: string
  /** Its tiers and lanes. */
  readonly places: readonly string[]
  /** The tasks that it handles. */
  readonly tasks: readonly string[]
}

/** What is asked of a node: a verb, and what it takes. */
export type AskedOfNode = Readonly<Record<string, Json>> & { readonly verb: string }

export type Reply =
  | { readonly type: 'answered'; readonly answer: Json }
  | { readonly type: 'failed'; readonly error: ErrorRecord }

export interface Ask {
  readonly type: 'ask'
  readonly id: string
  /** The node that asks. */
  readonly from: string
  readonly nodes: 'all' | readonly string[]
  readonly request: AskedOfNode
  /** Epoch ms by the clock of who asks, and how long he waits. */
  readonly sentAt: number
  readonly timeoutMs: number
}

export type ControlMessage =
  | { readonly type: 'beat'; readonly node: string; readonly facts: NodeFacts }
  /** The node stops. */
  | { readonly type: 'left'; readonly node: string }
  /** Every node shall beat now. */
  | { readonly type: 'who' }
  | Ask
  | { readonly type: 'answer'; readonly id: string; readonly node: string; readonly reply: Reply }
  /** Kept for a node: these jobs shall not run, as they were sent until then (epoch ms). */
  | { readonly type: 'cancel'; readonly ids: readonly string[]; readonly sentBefore: number }
  /** A node has sent it to itself: what was kept for it came before. */
  | { readonly type: 'marker'; readonly token: string }

export function encodeControl(message: ControlMessage): Buffer {
  const body = Buffer.from(JSON.stringify(message))
  if (body.length <= MOST_CONTROL_BYTES) return body
  throw malformed('body', `${body.length} bytes`, `at most ${MOST_CONTROL_BYTES}: ask for less at once`)
}

/** Throws `MILLRACE_MESSAGE_MALFORMED`, with the path of what is wrong. */
export function decodeControl(body: Uint8Array): ControlMessage {
  const message = fieldsOf(body, 'body')
  switch (message['type']) {
    case 'beat':
      return {
        type: 'beat',
        node: nodeId(message['node'], 'node'),
        facts: factsOf(objectOf(message['facts'], 'facts')),
      }
    case 'left':
      return { type: 'left', node: nodeId(message['node'], 'node') }
    case 'who':
      return { type: 'who' }
    case 'ask':
      return askOf(message)
    case 'answer':
      return {
        type: 'answer',
        id: text(message['id'], 'id', 64),
        node: nodeId(message['node'], 'node'),
        reply: replyOf(objectOf(message['reply'], 'reply')),
      }
    case 'cancel':
      return {
        type: 'cancel',
        ids: jobIds(message['ids'], 'ids'),
        sentBefore: wholeFrom(message['sentBefore'], 0, Number.MAX_SAFE_INTEGER, 'sentBefore'),
      }
    case 'marker':
      return { type: 'marker', token: text(message['token'], 'token', 64) }
    default:
      throw malformed('type', message['type'], 'one that this version knows')
  }
}

/** Ids of jobs, of whatever journal. */
export function jobIds(value: unknown, path: string): readonly string[] {
  return list(value, path, MOST_CANCELLED_AT_ONCE).map((id, at) => {
    if (typeof id === 'string' && parseJobId(id) !== undefined) return id
    throw malformed(`${path}[${at}]`, id, 'the id of a job')
  })
}

function askOf(message: Fields): Ask {
  const { nodes } = message
  const request = objectOf(message['request'], 'request')
  return {
    type: 'ask',
    id: text(message['id'], 'id', 64),
    from: nodeId(message['from'], 'from'),
    nodes: nodes === 'all' ? 'all' : list(nodes, 'nodes', MOST_NAMES).map((node, at) => nodeId(node, `nodes[${at}]`)),
    request: { ...request, verb: text(request['verb'], 'request.verb', 64) } as AskedOfNode,
    sentAt: wholeFrom(message['sentAt'], 0, Number.MAX_SAFE_INTEGER, 'sentAt'),
    timeoutMs: wholeFrom(message['timeoutMs'], 0, 3_600_000, 'timeoutMs'),
  }
}

function replyOf(reply: Fields): Reply {
  if (reply['type'] === 'answered') return { type: 'answered', answer: (reply['answer'] ?? null) as Json }
  if (reply['type'] === 'failed') return { type: 'failed', error: errorOf(reply['error'], 'reply.error') }
  throw malformed('reply.type', reply['type'], 'answered or failed')
}

const ROLES: readonly Role[] = ['publisher', 'worker', 'both']

function factsOf(facts: Fields): NodeFacts {
  const names = (what: string) =>
    list(facts[what], `facts.${what}`, MOST_NAMES).map((name, at) => text(name, `facts.${what}[${at}]`, 128))
  return {
    role: oneOf(facts['role'], ROLES, 'facts.role'),
    host: text(facts['host'], 'facts.host', 256),
    pid: wholeFrom(facts['pid'], 0, Number.MAX_SAFE_INTEGER, 'facts.pid'),
    version: text(facts['version'], 'facts.version', 64),
    places: names('places'),
    tasks: names('tasks'),
  }
}

const NODE_ID = /^[a-z0-9][a-z0-9-]{0,63}$/

/** Whether it may be the id of a node, and so a part of the names of its queues. */
export function isNodeId(value: unknown): value is string {
  return typeof value === 'string' && NODE_ID.test(value)
}

function nodeId(value: unknown, path: string): string {
  if (isNodeId(value)) return value
  throw malformed(path, value, 'the id of a node')
}

/** No control characters: what comes from others is printed. */
const PRINTABLE = /^\P{Cc}+$/u

function text(value: unknown, path: string, most: number): string {
  const short = shortText(value, most, path)
  if (PRINTABLE.test(short)) return short
  throw malformed(path, value, 'printable characters')
}

function list(value: unknown, path: string, most: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value
  throw malformed(path, value, `a list of at most ${most}`)
}
