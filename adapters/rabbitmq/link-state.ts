import type { MillraceError } from '../../lib/errors.ts'

/**
 * The life of one connection to a cluster, as a function: `step` says what a happening makes of it and what is to be done,
 * and does nothing itself. Each try to connect has a number, and what belongs to an older try changes nothing.
 */
export type LinkState =
  | { readonly type: 'new' }
  /** A connection is being made to this node of the cluster. `failures` counts what failed in a row before. */
  | { readonly type: 'connecting'; readonly attempt: number; readonly node: number; readonly failures: number }
  /** It is connected, and what has to be there on the broker is being made. */
  | { readonly type: 'preparing'; readonly attempt: number; readonly node: number; readonly failures: number }
  | {
      readonly type: 'up'
      readonly attempt: number
      readonly node: number
      readonly failures: number
      readonly upAtMs: number
      readonly flow: 'free' | 'blocked'
    }
  | { readonly type: 'waiting'; readonly attempt: number; readonly node: number; readonly failures: number }
  | { readonly type: 'closed' }

/** What happens. `atMs` is of a clock that only rises; `roll` is a random number from 0 to 1. */
export type LinkInput =
  | { readonly type: 'open' }
  | { readonly type: 'connected'; readonly attempt: number }
  | { readonly type: 'prepared'; readonly attempt: number; readonly atMs: number }
  /** It could not be made, or not be prepared, or was lost, or is no good any more. */
  | {
      readonly type: 'failed'
      readonly attempt: number
      readonly error: MillraceError
      readonly atMs: number
      readonly roll: number
    }
  | { readonly type: 'blocked'; readonly attempt: number; readonly reason: string }
  | { readonly type: 'unblocked'; readonly attempt: number }
  | { readonly type: 'retry'; readonly attempt: number }
  | { readonly type: 'close' }

/** What is to be done, in this order. */
export type LinkEffect =
  | { readonly type: 'connect'; readonly attempt: number; readonly node: number }
  | { readonly type: 'prepare'; readonly attempt: number }
  | { readonly type: 'wait'; readonly attempt: number; readonly delayMs: number }
  /** Whatever there is of a connection is ended without a word. */
  | { readonly type: 'drop'; readonly attempt: number }
  /** The user of the link may begin. */
  | { readonly type: 'begin'; readonly node: number }
  /** The user of the link has to let go: what was under way is lost. */
  | { readonly type: 'let-go'; readonly error: MillraceError }
  | { readonly type: 'tell-down'; readonly node: number; readonly error: MillraceError; readonly retryMs: number }
  | { readonly type: 'block'; readonly node: number; readonly reason: string }
  | { readonly type: 'unblock'; readonly node: number }
  | { readonly type: 'stop-waiting' }
  /** The connection is ended as it should be. */
  | { readonly type: 'hang-up' }

export interface LinkStep {
  readonly state: LinkState
  readonly effects: readonly LinkEffect[]
}

export const FIRST_RETRY_MS = 200
export const LONGEST_RETRY_MS = 30_000
/** A connection that lasted so long was a good one: the next try comes soon. */
export const STEADY_MS = 10_000

export const NEW_LINK: LinkState = { type: 'new' }

/** What a happening makes of a link to a cluster of so many nodes. */
export function step(state: LinkState, input: LinkInput, nodes: number): LinkStep {
  if (state.type === 'closed') return { state, effects: [] }
  if (input.type === 'close') return close(state)
  if (state.type === 'new') {
    return input.type === 'open' ? connect({ attempt: 0, node: 0, failures: 0 }) : { state, effects: [] }
  }
  if (input.type === 'open' || input.attempt !== state.attempt) return { state, effects: [] }
  if (input.type === 'failed') return state.type === 'waiting' ? { state, effects: [] } : fail(state, input, nodes)
  return advance(state, input)
}

type Trying = Exclude<LinkState, { readonly type: 'new' | 'closed' }>
type Failure = Extract<LinkInput, { readonly type: 'failed' }>
type Progress = Exclude<LinkInput, { readonly type: 'open' | 'close' | 'failed' }>

function advance(state: Trying, input: Progress): LinkStep {
  const { attempt, node, failures } = state
  if (state.type === 'connecting' && input.type === 'connected') {
    return { state: { ...state, type: 'preparing' }, effects: [{ type: 'prepare', attempt }] }
  }
  if (state.type === 'preparing' && input.type === 'prepared') {
    const up: LinkState = { type: 'up', attempt, node, failures, upAtMs: input.atMs, flow: 'free' }
    return { state: up, effects: [{ type: 'begin', node }] }
  }
  if (state.type === 'up' && input.type === 'blocked' && state.flow === 'free') {
    return { state: { ...state, flow: 'blocked' }, effects: [{ type: 'block', node, reason: input.reason }] }
  }
  if (state.type === 'up' && input.type === 'unblocked' && state.flow === 'blocked') {
    return { state: { ...state, flow: 'free' }, effects: [{ type: 'unblock', node }] }
  }
  return state.type === 'waiting' && input.type === 'retry' ? connect(state) : { state, effects: [] }
}

function connect({ attempt, node, failures }: Pick<Trying, 'attempt' | 'node' | 'failures'>): LinkStep {
  const next = attempt + 1
  return {
    state: { type: 'connecting', attempt: next, node, failures },
    effects: [{ type: 'connect', attempt: next, node }],
  }
}

function fail(state: Trying, { error, atMs, roll }: Failure, nodes: number): LinkStep {
  const { attempt, node } = state
  const wasSteady = state.type === 'up' && atMs - state.upAtMs >= STEADY_MS
  const failures = wasSteady ? 1 : state.failures + 1
  const retryMs = retryDelayMs(failures, nodes, roll)
  return {
    state: { type: 'waiting', attempt, node: (node + 1) % nodes, failures },
    effects: [
      { type: 'drop', attempt },
      ...(state.type === 'up' ? [{ type: 'let-go', error } as const] : []),
      { type: 'tell-down', node, error, retryMs },
      { type: 'wait', attempt, delayMs: retryMs },
    ],
  }
}

/** The other nodes of the cluster are tried soon; only a whole round of failures makes it wait longer. */
function retryDelayMs(failures: number, nodes: number, roll: number): number {
  const rounds = Math.min(Math.floor((failures - 1) / nodes), 30)
  const longestMs = Math.min(FIRST_RETRY_MS * 2 ** rounds, LONGEST_RETRY_MS)
  return Math.round(longestMs * (0.5 + roll / 2))
}

function close(state: Exclude<LinkState, { readonly type: 'closed' }>): LinkStep {
  const effects: readonly LinkEffect[] =
    state.type === 'up'
      ? [{ type: 'hang-up' }]
      : state.type === 'waiting'
        ? [{ type: 'stop-waiting' }]
        : state.type === 'new'
          ? []
          : [{ type: 'drop', attempt: state.attempt }]
  return { state: { type: 'closed' }, effects }
}
