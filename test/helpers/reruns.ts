import { BatchPolicy } from '../../runtime/places/threads/batch-policy.ts'
import { lane, tier } from '../fixtures/victim-places.ts'

/** Of each kind of place: how many jobs run there at once, and how many an owner has claimed for it and not ended, at most. */
const PLACES: Readonly<Record<string, { readonly atOnce: number; readonly room: number }>> = {
  thread: { atOnce: tier.threads, room: tier.handJobs + tier.threads * new BatchPolicy(1).slots },
  loop: { atOnce: lane.concurrency, room: lane.handJobs + lane.concurrency },
}

/** On a starved loop an outcome is written some commits after its room was given back, and used again. */
const TIMES_ROOM = 3

type Lines = readonly (readonly string[])[]

interface Start {
  readonly where: string
  readonly pid: string
  /** Which start of its job it is, counted from 1. */
  readonly nth: number
  readonly ended: boolean
}

/** Each start that was followed by another one of its job, in the order of those. */
function* begunAgain(lines: Lines): Generator<Start & { readonly id: string }> {
  const last = new Map<string, Start>()
  for (const [what, id = '', pid = '', , where = ''] of lines) {
    const before = last.get(id)
    if (what === 'end' && before?.pid === pid) last.set(id, { ...before, ended: true })
    if (what !== 'start') continue
    if (before !== undefined) yield { id, ...before }
    last.set(id, { where, pid, nth: (before?.nth ?? 0) + 1, ended: false })
  }
}

/**
 * How many jobs were begun anew after a kill beyond those that can have been cut short by it, since no more run at once, and
 * beyond those that had come to their end and that a place has room for: the outcomes of more were kept back where a kill
 * takes them along. Each is counted with the life in which it was begun before.
 */
export function beyondRoom(lines: Lines): number {
  const lives = new Map<string, { where: string; cut: number; ended: number }>()
  for (const { where, pid, ended } of begunAgain(lines)) {
    const life = lives.get(`${where} ${pid}`) ?? { where, cut: 0, ended: 0 }
    life[ended ? 'ended' : 'cut']++
    lives.set(`${where} ${pid}`, life)
  }
  let beyond = 0
  for (const { where, cut, ended } of lives.values()) {
    const { atOnce = 0, room = 0 } = PLACES[where] ?? {}
    beyond += Math.max(0, cut - atOnce) + Math.max(0, ended - TIMES_ROOM * room)
  }
  return beyond
}

/**
 * How many jobs were begun anew although the journal, as a kill has left it, had no claim of theirs that was not settled, or
 * fewer claims than starts: what was not under way when the kill came does not begin again.
 */
export function unclaimed(lines: Lines): number {
  const killed = new Set<string>()
  const claims = new Map<string, number>()
  for (const [what, id = '', pid = '', claim = ''] of lines) {
    if (what === 'killed') killed.add(id)
    if (what === 'held') claims.set(`${id} ${pid}`, Number(claim))
  }
  let beyond = 0
  for (const { id, pid, nth } of begunAgain(lines)) {
    if (killed.has(pid) && (claims.get(`${id} ${pid}`) ?? 0) < nth) beyond++
  }
  return beyond
}
