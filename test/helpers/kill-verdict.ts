import { parseJobId } from '../../lib/job.ts'
import { NUMBERS_AHEAD } from '../../runtime/journal/numbers.ts'
import { NUMBERS_AT_ONCE } from '../../runtime/places/number-supply.ts'
import { beyondRoom, unclaimed } from './reruns.ts'

/** What a ledger may show, each of which is a fault. */
export const ledgerFaults = [
  /** Acknowledged, or the child of a committed success, and neither run to its end nor dead. */
  'lost',
  /** Never run, although later ones of the same life have: commits are in the order of the numbers, and none is left out. */
  'gaps',
  /** Starts that have found the journal shorter than it was. */
  'shortened',
  /** Begun again although its end had been committed. */
  'afterSettled',
  /** Begun again after a kill that had left no claim of theirs in the journal: they were not under way when it came. */
  'unclaimed',
  /** Begun again after a kill, more than run at once or, of those that had ended, than their place had room for. */
  'beyondRoom',
  /** Begun twice as the same attempt within one life of the process. */
  'overlaps',
  /** Begun again as another attempt: no attempt fails that tells of its start, so that a kill was charged for one. */
  'charged',
  /** Run although the attempt that enqueued it was not the one that was committed. */
  'ghosts',
  /** Told to be dead, or dead in the journal: here nobody has a reason to. */
  'dead',
] as const

/** What became of it all: how often each fault is there, and whether there was anything to find. */
export interface LedgerVerdict extends Readonly<Record<(typeof ledgerFaults)[number], number>> {
  readonly acknowledged: number
  readonly ranTwice: number
  /** Suspects that were tried to their end between two kills. */
  readonly tried: number
}

interface VerdictWithIds extends LedgerVerdict {
  readonly lostIds: readonly string[]
  readonly deadIds: readonly string[]
}

interface Child {
  readonly parent: string
  /** Which run of its parent has enqueued it, counted from 1. */
  readonly run: number
  readonly child: string
}

/** What is told of each job, and faults that show where they are told. */
interface Told {
  readonly acknowledged: ReadonlySet<string>
  readonly ended: ReadonlySet<string>
  readonly settled: ReadonlySet<string>
  readonly dead: ReadonlySet<string>
  /** Process and attempt of each start. */
  readonly runsOf: ReadonlyMap<string, readonly string[]>
  readonly children: readonly Child[]
  readonly counts: Pick<LedgerVerdict, 'afterSettled' | 'overlaps' | 'charged' | 'tried' | 'shortened'>
}

/** Reads the ledger line by line, in the order in which everything has happened. */
function toldIn(lines: readonly (readonly string[])[]): Told {
  const acknowledged = new Set<string>()
  const ended = new Set<string>()
  const settled = new Set<string>()
  const dead = new Set<string>()
  const runsOf = new Map<string, string[]>()
  const children: Child[] = []
  const counts = { afterSettled: 0, overlaps: 0, charged: 0, tried: 0, shortened: 0 }
  let triedLately = 0
  for (const [what = '', id = '', other = '', attempt = ''] of lines) {
    const runs = runsOf.get(id) ?? []
    if (what === 'ack') acknowledged.add(id)
    if (what === 'end') ended.add(id)
    if (what === 'settled') settled.add(id)
    if (what === 'dead') dead.add(id)
    if (what === 'tried') triedLately++
    if (what === 'opening') {
      counts.tried += triedLately
      triedLately = 0
    }
    if (what === 'error' && id === 'MILLRACE_JOURNAL_TAIL_LOST') counts.shortened++
    if (what === 'child') children.push({ parent: id, run: runs.length, child: other })
    if (what !== 'start') continue
    if (settled.has(id)) counts.afterSettled++
    if (runs.includes(`${other} ${attempt}`)) counts.overlaps++
    if (runs.some((run) => run.split(' ')[1] !== attempt)) counts.charged++
    runsOf.set(id, [...runs, `${other} ${attempt}`])
  }
  return { acknowledged, ended, settled, dead, runsOf, children, counts }
}

/**
 * What a ledger shows; a torn line has not happened. A start may be killed before it has told of what it found dead: that is
 * known from the journal.
 */
export function verdictOf(all: readonly (readonly string[])[], deadLeft: readonly string[]): VerdictWithIds {
  const lines = all.filter((words) => words.at(-1) === '.')
  const { acknowledged, ended, settled, runsOf, counts, ...told } = toldIn(lines)
  const dead = new Set([...deadLeft, ...told.dead])
  const isOfLastRun = ({ parent, run }: Child) => run === (runsOf.get(parent)?.length ?? 0)
  const committed = told.children.filter((each) => isOfLastRun(each) && settled.has(each.parent))
  const due = [...acknowledged, ...committed.map(({ child }) => child)]
  const lost = due.filter((id) => !ended.has(id) && !dead.has(id))
  return {
    ...counts,
    acknowledged: acknowledged.size,
    ranTwice: [...runsOf.values()].filter((runs) => runs.length > 1).length,
    lost: lost.length,
    gaps: gapsIn(runsOf.keys(), new Set(told.children.map(({ child }) => child))),
    lostIds: lost,
    unclaimed: unclaimed(lines),
    beyondRoom: beyondRoom(lines),
    ghosts: told.children.filter((each) => !isOfLastRun(each) && runsOf.has(each.child)).length,
    dead: dead.size,
    deadIds: [...dead],
  }
}

/** Between two lives lies what the journal had reserved for the first of them, which is far more than one uses. */
const NEXT_LIFE = NUMBERS_AHEAD / 2

/** Numbers between those of jobs that were run, of which no job was; threads are given theirs for children many at once. */
function gapsIn(ran: Iterable<string>, children: ReadonlySet<string>): number {
  const numbers = [...ran].filter((id) => !children.has(id)).map((id) => parseJobId(id)?.number ?? Number.NaN)
  numbers.sort((one, other) => one - other)
  let gaps = 0
  for (const [at, number] of numbers.entries()) {
    const missing = number - (numbers[at - 1] ?? number - 1) - 1
    if (missing < NEXT_LIFE) gaps += missing % NUMBERS_AT_ONCE
  }
  return gaps
}
