import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { invalidOption, refuseUnknown, wholeNumber } from '../../lib/options.ts'
import type { NodeAnswer } from '../cluster/asks.ts'
import type { Cluster, NodeSummary } from '../cluster/cluster.ts'
import type { Wires } from '../wires.ts'
import { checkedRequest, type NodeAnswers, type NodeRequest, type NodeVerb, readAnswer, SKEW_MS } from './verbs.ts'

/** Which nodes are asked, and for how long they are waited for. */
export interface AskOptions {
  /** Ids of nodes. Default: every node that is known. */
  readonly nodes?: 'all' | readonly string[]
  /** 1 to 600,000. Default 5,000. */
  readonly timeoutMs?: number
}

/**
 * Every node that this one knows, itself included.
 * @internal
 */
export function nodesOf(wires: Wires): readonly NodeSummary[] {
  return clusterOf(wires).nodes()
}

/**
 * One answer for each node that is asked. A cancel is kept first, for those that are not there.
 * @internal
 */
export async function askNodes<R extends NodeRequest>(
  wires: Wires,
  request: R,
  options: AskOptions = {},
): Promise<readonly NodeAnswer<NodeAnswers[R['verb']]>[]> {
  const cluster = clusterOf(wires)
  refuseUnknown(options, ['nodes', 'timeoutMs'], '')
  const { nodes = 'all', timeoutMs = 5_000 } = options
  wholeNumber(timeoutMs, 1, 600_000, 'timeoutMs')
  if (nodes !== 'all' && !Array.isArray(nodes)) throw invalidOption('nodes', nodes, "'all' or a list of ids of nodes")
  const asked = checkedRequest(request)
  if (request.verb === 'cancel') await cluster.keep(request.ids, wires.clock.now() + SKEW_MS, nodes)
  const answers = await cluster.ask(asked, { nodes, timeoutMs })
  return answers.map((answer) => readable(request.verb, answer)) as never
}

/** Anybody may have answered anything. */
function readable(verb: NodeVerb, answer: NodeAnswer): NodeAnswer<NodeAnswers[NodeVerb]> {
  if (answer.type !== 'answered') return answer
  const { node } = answer
  try {
    return { node, type: 'answered', answer: readAnswer(verb, answer.answer) }
  } catch (error) {
    const record: ErrorRecord = toErrorRecord(error)
    return { node, type: 'failed', error: record }
  }
}

function clusterOf({ cluster }: Wires): Cluster {
  if (cluster !== undefined) return cluster
  throw new MillraceError(
    'MILLRACE_NO_CONTROL',
    'this runtime knows no other nodes; got no broker, or one without control; expected one whose ' +
      '`supports.control` is true; give it `broker`, as that of rabbitmq',
  )
}
