import type { AskedOfNode } from '../../lib/control-message.ts'
import type { Json } from '../../lib/json.ts'
import { parseJobId } from '../../lib/job.ts'
import { invalidOption, refuseUnknown } from '../../lib/options.ts'
import { MOST_CANCELLED_AT_ONCE } from '../../lib/control-message.ts'
import { type ResizeOptions, resize, placeSize } from './resize.ts'
import { graceOf, type StopOptions } from '../supervise/drain.ts'
import type { Wires } from '../wires.ts'
import { cancelHere } from './cancel-here.ts'
import { nodePlacesOf, type NodePlace, readNodePlaces } from './node-places.ts'
import type { PauseSubject } from './pauses.ts'

/** What can be asked of nodes. */
export type NodeRequest =
  /** Nothing but an answer. */
  | { readonly verb: 'ping' }
  /** Its tiers and lanes. */
  | { readonly verb: 'places' }
  /** As `runtime.pause`, by the name of a task or a place; kept over restarts of the node. */
  | ({ readonly verb: 'pause' } & PauseSubject)
  | ({ readonly verb: 'resume' } & PauseSubject)
  /** Jobs of any node, by their ids, at most 1,000. It is kept: they do not run on nodes that are down now either. */
  | { readonly verb: 'cancel'; readonly ids: readonly string[] }
  /** As `runtime.resize`. */
  | ({ readonly verb: 'resize'; readonly place: string } & ResizeOptions)
  /** As `runtime.stop`; answered before. Without a grace the node itself says which. */
  | ({ readonly verb: 'drain' } & StopOptions)

/** What a node answers. */
export interface NodeAnswers {
  readonly ping: null
  readonly places: readonly NodePlace[]
  readonly pause: null
  readonly resume: null
  /** How many jobs it has ended, and how many run there and were asked to end. */
  readonly cancel: { readonly cancelled: number; readonly requested: number }
  readonly resize: null
  readonly drain: null
}

export type NodeVerb = keyof NodeAnswers

/** Clocks of machines differ: who cancels a job of another node may be behind the one that has sent it. */
export const SKEW_MS = 30_000

type RequestOf<V extends NodeVerb> = Extract<NodeRequest, { readonly verb: V }>

interface Verb<V extends NodeVerb> {
  /** What is sent of a request, which may be anything; throws for what cannot be carried out anywhere. */
  checked(request: RequestOf<V>): RequestOf<V>
  carryOut(wires: Wires, request: RequestOf<V>): Promise<NodeAnswers[V]>
  /** An answer from elsewhere; throws where it is none. */
  read(answer: Json): NodeAnswers[V]
}

const nothing = () => null

/** Every verb: how it is asked, done and answered. */
const verbs: { readonly [V in NodeVerb]: Verb<V> } = {
  ping: {
    checked: (request) => known(request, []),
    carryOut: () => Promise.resolve(null),
    read: nothing,
  },
  places: {
    checked: (request) => known(request, []),
    carryOut: nodePlacesOf,
    read: readNodePlaces,
  },
  pause: {
    checked: (request) => ({ verb: 'pause', ...subjectOf(known(request, ['task', 'place'])) }),
    carryOut: async ({ pauses }, request) => pauses.pause(subjectOf(request)).then(nothing),
    read: nothing,
  },
  resume: {
    checked: (request) => ({ verb: 'resume', ...subjectOf(known(request, ['task', 'place'])) }),
    carryOut: async ({ pauses }, request) => pauses.resume(subjectOf(request)).then(nothing),
    read: nothing,
  },
  cancel: {
    checked: (request) => ({ verb: 'cancel', ids: idsOf(known(request, ['ids']).ids) }),
    carryOut: (wires, { ids }) => cancelHere(wires, ids, wires.clock.now() + SKEW_MS),
    read: (answer) => countsOf(answer),
  },
  resize: {
    checked: (request) => {
      const { verb, place, ...size } = known(request, ['place', 'threads', 'concurrency'])
      if (typeof place !== 'string') throw invalidOption('place', place, 'the name of a place')
      placeSize(size)
      return { verb, place, ...size }
    },
    async carryOut(wires, request) {
      const { verb: _verb, place, ...size } = request
      resize(wires, place, size)
      return null
    },
    read: nothing,
  },
  drain: {
    checked: (request) => {
      const { verb, graceMs } = known(request, ['graceMs'])
      if (graceMs === undefined) return { verb }
      // It has no Infinity in JSON.
      if (!Number.isFinite(graceOf({ graceMs }))) throw invalidOption('graceMs', graceMs, 'a number of milliseconds')
      return { verb, graceMs }
    },
    async carryOut({ clock, emit }, { graceMs }) {
      // Not before the answer is on its way.
      clock.setImmediate(() => emit.emit('node.drain', { graceMs }))
      return null
    },
    read: nothing,
  },
}

function verbOf(verb: unknown): Verb<NodeVerb> {
  if (typeof verb === 'string' && Object.hasOwn(verbs, verb)) return verbs[verb as NodeVerb] as Verb<NodeVerb>
  throw invalidOption('verb', verb, Object.keys(verbs).join(', '))
}

/**
 * A request as it is sent; throws for one that no node could carry out.
 * @internal
 */
export function checkedRequest(request: NodeRequest): AskedOfNode {
  return verbOf((request as { verb?: unknown } | null)?.verb).checked(request as never) as AskedOfNode
}

/**
 * Does what somebody asks of this node, who may have sent anything.
 * @internal
 */
export async function carryOutHere(wires: Wires, asked: AskedOfNode): Promise<Json> {
  const verb = verbOf(asked.verb)
  return (await verb.carryOut(wires, verb.checked(asked as never))) as unknown as Json
}

/** The answer of another node to a verb. */
export function readAnswer(verb: NodeVerb, answer: Json): NodeAnswers[NodeVerb] {
  return verbs[verb].read(answer)
}

function known<R extends NodeRequest>(request: R, options: readonly string[]): R {
  refuseUnknown(request, ['verb', ...options], '')
  return request
}

function subjectOf(request: { readonly task?: unknown; readonly place?: unknown }): PauseSubject {
  const { task, place } = request
  if ((task === undefined) === (place === undefined)) {
    throw invalidOption('task', task, 'a task or a place, and not both: { task } or { place }')
  }
  const name = typeof task === 'object' ? (task as { name?: unknown } | null)?.name : (task ?? place)
  const kind = task === undefined ? 'place' : 'task'
  if (typeof name !== 'string') throw invalidOption(kind, name, `the name of a ${kind}`)
  return kind === 'task' ? { task: name } : { place: name }
}

function idsOf(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST_CANCELLED_AT_ONCE) {
    throw invalidOption('ids', ids, `1 to ${MOST_CANCELLED_AT_ONCE} ids of jobs`)
  }
  ids.forEach((id: unknown, at) => {
    if (typeof id !== 'string' || parseJobId(id) === undefined) throw invalidOption(`ids[${at}]`, id, 'the id of a job')
  })
  return ids
}

function countsOf(answer: Json): NodeAnswers['cancel'] {
  const { cancelled, requested } = answer as { cancelled?: unknown; requested?: unknown }
  if (Number.isSafeInteger(cancelled) && Number.isSafeInteger(requested)) return answer as never
  throw invalidOption('answer', answer, '{ cancelled, requested }')
}
