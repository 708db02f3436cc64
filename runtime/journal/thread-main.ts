import { once } from 'node:events'
import { isMainThread, type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { systemClock } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { faultOf } from './files/faults.ts'
import { groupSize } from './group-columns.ts'
import type { Ledger } from './store/ledger.ts'
import { LogGrowth, logBytesOf } from './files/log-growth.ts'
import { Lookout } from './lookout.ts'
import { type JournalOptions, openJournal, type OpenJournal } from './open.ts'
import type { FromJournal, Group, JournalFault, ToJournal } from './protocol.ts'
import { exposeQueries } from './queries/queries.ts'
import { Space } from './files/space.ts'
import { Turnstile } from './turnstile.ts'

/** The first message of the owner: what it shall open. */
export interface JournalThreadData {
  readonly options: JournalOptions
  /** The owner epoch to go on with, after an earlier journal thread of the same owner has died. */
  readonly resume: number | undefined
  readonly turnstile: SharedArrayBuffer
  readonly queries: MessagePort
}

if (isMainThread || parentPort === null) throw new Error('the journal thread is started by the runtime')

/** A transaction is at most this long, so that nobody waits behind more than one of them. */
const LOT_JOBS = 1_000
const LOT_BYTES = 256 * 1024

/** Other processes' jobs are noticed within this time plus one commit. */
const INBOX_POLL_MS = 20

const port = parentPort
const [first] = (await once(port, 'message')) as [JournalThreadData]
const { options, resume, turnstile: turnstileBuffer, queries } = first
const turnstile = new Turnstile(turnstileBuffer)
let space: Space | undefined
const send = (message: FromJournal) => port.postMessage(message)

let journal: OpenJournal | undefined
try {
  journal = openJournal(options, systemClock.now(), resume)
  run(journal)
} catch (error) {
  send({ type: 'fault', fault: faultOf(error) ?? { kind: 'other', error: toErrorRecord(error) } })
  if (journal === undefined) port.close()
  else close(journal)
}

function run(journal: OpenJournal): void {
  const { store } = journal
  const lookout = new Lookout(received, systemClock)
  port.on('message', (message: ToJournal) => {
    lookout.woken()
    for (let next: ToJournal | undefined = message; next !== undefined; ) {
      if (next.type === 'close') return close(journal)
      next = commitLot(journal, next.group) ?? lookout.next()
    }
  })
  exposeQueries(queries, store.ledger)
  if (options.file !== ':memory:') lookRegularly(store.ledger)
  send({ type: 'opened', journal: journal.opened })
}

/** At what comes from outside: other processes' jobs, a disk that fills, readers that do not end. */
function lookRegularly(ledger: Ledger): void {
  const growth = new LogGrowth(logBytesOf(ledger.db), systemClock)
  const room = new Space(ledger.db, options.file)
  space = room
  const look = () => {
    if (ledger.inboxMayHaveRows() === 'yes') send({ type: 'inbox' })
    room.look()
    const logBytes = growth.look()
    if (logBytes !== undefined) send({ type: 'overgrown', logBytes })
    systemClock.setTimer(INBOX_POLL_MS, look).unref()
  }
  look()
}

function received(): ToJournal | undefined {
  return (receiveMessageOnPort(port) as { message: ToJournal } | undefined)?.message
}

/** Commits a group together with those that have gathered behind it; returns the message that ended the lot. */
function commitLot(journal: OpenJournal, first: Group): ToJournal | undefined {
  const groups = [first]
  let { jobs, bytes } = groupSize(first)
  let next: ToJournal | undefined
  while (jobs < LOT_JOBS && bytes < LOT_BYTES) {
    next = received()
    if (next === undefined || next.type === 'close') break
    const size = groupSize(next.group)
    groups.push(next.group)
    jobs += size.jobs
    bytes += size.bytes
    next = undefined
  }
  turnstile.enter()
  try {
    commit(journal, groups)
  } finally {
    turnstile.leave()
  }
  return next
}

function commit(journal: OpenJournal, groups: readonly Group[]): void {
  const fault = tryCommit(journal, groups)
  if (fault === undefined) return
  if (groups.length > 1) for (const group of groups) commitAlone(journal, group)
  else commitParts(journal, groups[0] as Group, fault)
}

function commitAlone(journal: OpenJournal, group: Group): void {
  const fault = tryCommit(journal, [group])
  if (fault !== undefined) commitParts(journal, group, fault)
}

/** Settles go through without the new jobs if they can: what is done must not run again because something else is too big. */
function commitParts(journal: OpenJournal, group: Group, fault: JournalFault): void {
  if (fault.kind === 'disk-full') space?.ranOut(fault)
  if (tryCommit(journal, [group], fault) !== undefined) send({ type: 'refused', number: group.number, fault })
}

function withoutNew(group: Group): Group {
  const { taken: _, ...rest } = group
  return { ...rest, jobs: undefined }
}

/** Returns the fault if nothing of the groups was done and the journal can go on. */
function tryCommit(
  journal: OpenJournal,
  groups: readonly Group[],
  jobsRefused = space?.shortage,
): JournalFault | undefined {
  try {
    const parts = jobsRefused === undefined ? groups : groups.map(withoutNew)
    for (const reply of journal.commit(parts)) {
      send({ type: 'reply', reply: jobsRefused === undefined ? reply : { ...reply, jobsRefused } })
    }
    return undefined
  } catch (error) {
    const fault = faultOf(error) ?? { kind: 'other', error: toErrorRecord(error) }
    if (fault.kind === 'disk-full' || fault.kind === 'other') return fault
    return endWith(fault)
  }
}

/** After a fault that leaves the state of the files in doubt nothing more is written from here: the owner reopens. */
function endWith(fault: JournalFault): never {
  send({ type: 'fault', fault })
  port.close()
  throw new Error(fault.error.message)
}

function close(journal: OpenJournal): void {
  journal.close()
  queries.close()
  port.close()
}
