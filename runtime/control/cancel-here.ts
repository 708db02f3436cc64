import { parseJobId } from '../../lib/job.ts'
import { unrunAcross } from '../across.ts'
import { ask } from '../ask.ts'
import { cancelJob } from '../desk/changes.ts'
import type { Wires } from '../wires.ts'
import type { NodeAnswers } from './verbs.ts'

/** How long a node keeps in mind that a job shall not run: as long as its message may be on its way to it. */
const UNWANTED_MS = 7 * 24 * 3_600_000

/**
 * Jobs of whatever node shall not run here: it is written down, for those that come later; what of them waits here is
 * ended, and what runs is asked to end. Those that this node has enqueued itself are cancelled as by their handle.
 */
export async function cancelHere(
  wires: Wires,
  ids: readonly string[],
  sentBefore: number,
): Promise<NodeAnswers['cancel']> {
  const { journal, clock } = wires
  const answer = await ask(wires, { type: 'unwant', ids, sentBefore, until: clock.now() + UNWANTED_MS })
  const [ended, running] = answer.type === 'unwanted' ? [answer.ended, answer.running] : [[], []]
  tellEnded(wires, ended)
  const own = ids.map(parseJobId).filter((id) => id?.journal === journal.name)
  const numbers = [...running, ...own.map((id) => id?.number as number)]
  const came = await Promise.all(numbers.map((number) => cancelJob(wires, number, undefined)))
  const count = (what: string) => came.filter((each) => each === what).length
  return { cancelled: ended.length + count('cancelled'), requested: count('requested') }
}

/** Deliveries that the journal has ended since they were not wanted. */
function tellEnded(wires: Wires, numbers: readonly number[]): void {
  const { across, announcer, journal } = wires
  if (across === undefined || numbers.length === 0) return
  const tasks = numbers.map((number) => journal.taskIndex(across.deliveries.of(number)?.envelope.task ?? '') ?? -1)
  announcer.cancelled(numbers, tasks)
  unrunAcross(wires, across, numbers)
}
