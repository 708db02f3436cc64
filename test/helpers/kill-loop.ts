import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync, statSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import { stateCodes } from '../../lib/job-state.ts'
import { formatJobId } from '../../lib/job.ts'
import { Database } from '../../runtime/index.ts'
import { beyondRoom } from './reruns.ts'
import { ledgerLines } from './scratch.ts'

export interface KillLoop {
  /** The build to run, which may be a mutant. */
  readonly built: string
  readonly folder: string
  readonly cycles: number
  /** What the victim gets at the end to work off what is left. Default 60,000. */
  readonly drainMs?: number
  /** Kills come so many ms after the first acknowledgement, at random. */
  readonly withinMs: number
}

/** What became of it all, by the rules of the ledger; every number but the first two has to be 0. */
export interface Verdict {
  readonly acknowledged: number
  readonly ranTwice: number
  /** Acknowledged, or the child of a committed success, and neither run to its end nor dead. */
  readonly lost: number
  /** All that the ledger and the journal say of the first of them and of the first dead, and what else is left. */
  readonly evidence: readonly string[]
  /** Begun again although its end had been committed. */
  readonly afterSettled: number
  /** Begun again after a kill, more than their place had room for when it came. */
  readonly beyondRoom: number
  /** Begun twice as the same attempt within one life of the process. */
  readonly overlaps: number
  /** Begun again as another attempt: no attempt fails that tells of its start, so that a kill was charged for one. */
  readonly charged: number
  /** Run although the attempt that enqueued it was not the one that was committed. */
  readonly ghosts: number
  /** Told to be dead, or dead in the journal: here nobody has a reason to. */
  readonly dead: number
  /** Of the victim that had to work off what was left: its exit code, or the signal that ended it. */
  readonly drained: number | NodeJS.Signals
}

const DRAIN_MS = 60_000

/** Of as many jobs of each kind all is shown that is known of them. */
const SHOWN = 5

/** Runs the victim and kills it, over and over; then lets it work off what is left, and reads the ledger. */
export async function killLoop({ built, folder, cycles, withinMs, drainMs = DRAIN_MS }: KillLoop): Promise<Verdict> {
  const ledger = join(folder, 'ledger')
  for (let cycle = 0; cycle < cycles; cycle++) await killOnce(built, folder, ledger, withinMs)
  const drained = await runVictim({ built, folder, ledger, mode: ['drain'], lifeMs: drainMs })
  const left = leftIn(join(folder, 'jobs.db'))
  const deadLeft = left.filter(({ state }) => state === stateCodes.dead).map(({ id }) => id)
  const { lostIds, deadIds, ...verdict } = verdictOf(ledgerLines(ledger), deadLeft)
  const suspicious = new Set([...lostIds.slice(0, SHOWN), ...deadIds.slice(0, SHOWN)])
  const evidence = [
    ...ledgerLines(ledger).filter((words) => words.some((word) => suspicious.has(word))),
    ...left.filter(({ id }, at) => at < SHOWN || suspicious.has(id)).map(({ evidence }) => evidence),
  ]
  return { ...verdict, drained, evidence: evidence.map((words) => words.join(' ')) }
}

interface LeftJob {
  readonly id: string
  readonly state: number
  readonly evidence: readonly string[]
}

export interface Life {
  readonly built: string
  readonly folder: string
  readonly ledger: string
  readonly mode: readonly string[]
  /** After this long it is killed. Default 60,000. */
  readonly lifeMs?: number
}

/** Rows that should not be there any more, with their attempts. */
function leftIn(journal: string): LeftJob[] {
  const db = new Database(journal, { readonly: true })
  const name = db.prepare<[], string>('SELECT journal FROM millrace_meta').pluck().get() ?? ''
  const rows = db.prepare<[], { id: number; state: number }>('SELECT * FROM millrace_jobs').all()
  const attempts = db.prepare<[number], string>('SELECT record FROM millrace_attempts WHERE job = ?').pluck()
  const left = rows.map((row) => {
    const id = formatJobId(name, row.id)
    return { id, state: row.state, evidence: [id, JSON.stringify(row), ...attempts.all(row.id)] }
  })
  db.close()
  return left
}

/** One life of the victim, to its end; resolves to its exit code, or the signal that ended it. */
export async function runVictim({ built, folder, ledger, mode, lifeMs = DRAIN_MS }: Life) {
  const victim = start(built, folder, ledger, mode)
  const timer = setTimeout(() => victim.kill('SIGKILL'), lifeMs)
  const [code, signal] = (await once(victim, 'exit')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return code ?? (signal as NodeJS.Signals)
}

async function killOnce(built: string, folder: string, ledger: string, withinMs: number): Promise<void> {
  const before = lengthOf(ledger)
  const victim = start(built, folder, ledger, ['load'])
  const exited = once(victim, 'exit')
  await Promise.race([nextAck(ledger, before), exited])
  await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs))
  victim.kill('SIGKILL')
  await exited
}

/**
 * Runs the victim until a job begins, and kills it then; or kills the process in which the job runs, and once more where
 * it runs again, and lets the victim end by itself.
 */
export async function killOnStart({
  built,
  folder,
  ledger,
  mode,
  whom,
}: Life & { readonly whom: 'service' | 'its process, twice' }): Promise<void> {
  const before = ledgerLines(ledger).length
  const victim = start(built, folder, ledger, mode)
  const exited = once(victim, 'exit')
  const starts = () =>
    ledgerLines(ledger)
      .slice(before)
      .filter(([what]) => what === 'start')
  for (const starting of whom === 'service' ? [1] : [1, 2]) {
    while (starts().length < starting) await new Promise((resolve) => setTimeout(resolve, 10))
    const [, , where] = starts()[starting - 1] as readonly string[]
    process.kill(whom === 'service' ? (victim.pid as number) : Number(where), 'SIGKILL')
  }
  await exited
}

function start(built: string, folder: string, ledger: string, mode: readonly string[]) {
  return spawn(process.execPath, [join(built, 'test/fixtures/victim.js'), join(folder, 'jobs.db'), ...mode], {
    env: { ...process.env, MILLRACE_LEDGER: ledger },
    // Its input tells it when whoever started it is gone: it would publish for ever.
    stdio: ['pipe', 'inherit', 'inherit'],
  })
}

function lengthOf(ledger: string): number {
  return statSync(ledger, { throwIfNoEntry: false })?.size ?? 0
}

function nextAck(ledger: string, after: number): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(dirname(ledger), () => {
      if (!textFrom(ledger, after).includes('\nack ')) return
      watcher.close()
      resolve()
    })
  })
}

function textFrom(ledger: string, at: number): string {
  const length = lengthOf(ledger) - at
  if (length <= 0) return ''
  const descriptor = openSync(ledger, 'r')
  const buffer = Buffer.alloc(length)
  readSync(descriptor, buffer, 0, length, at)
  closeSync(descriptor)
  return buffer.toString()
}

interface LedgerVerdict extends Omit<Verdict, 'evidence' | 'drained'> {
  readonly lostIds: readonly string[]
  readonly deadIds: readonly string[]
}

/**
 * Reads the ledger line by line, in the order in which everything has happened; a torn line has not happened. A start may
 * be killed before it has told of what it found dead: that is known from the journal.
 */
function verdictOf(all: readonly (readonly string[])[], deadLeft: readonly string[]): LedgerVerdict {
  const lines = all.filter((words) => words.at(-1) === '.')
  const acknowledged = new Set<string>()
  const ended = new Set<string>()
  const settled = new Set<string>()
  const runsOf = new Map<string, string[]>()
  const childrenOf = new Map<string, { readonly run: number; readonly child: string }[]>()
  let afterSettled = 0
  let overlaps = 0
  let charged = 0
  const dead = new Set(deadLeft)
  for (const [what = '', id = '', other = '', attempt = ''] of lines) {
    const runs = runsOf.get(id) ?? []
    if (what === 'ack') acknowledged.add(id)
    if (what === 'end') ended.add(id)
    if (what === 'settled') settled.add(id)
    if (what === 'dead') dead.add(id)
    if (what === 'child') childrenOf.set(id, [...(childrenOf.get(id) ?? []), { run: runs.length, child: other }])
    if (what !== 'start') continue
    if (settled.has(id)) afterSettled++
    if (runs.includes(`${other} ${attempt}`)) overlaps++
    if (runs.some((run) => run.split(' ')[1] !== attempt)) charged++
    runsOf.set(id, [...runs, `${other} ${attempt}`])
  }
  const children = [...childrenOf].flatMap(([parent, all]) => {
    const runs = runsOf.get(parent)?.length ?? 0
    return all.map(({ run, child }) => ({ child, committed: run === runs && settled.has(parent), last: run === runs }))
  })
  const due = [...acknowledged, ...children.filter(({ committed }) => committed).map(({ child }) => child)]
  const lost = due.filter((id) => !ended.has(id) && !dead.has(id))
  return {
    acknowledged: acknowledged.size,
    ranTwice: [...runsOf.values()].filter((runs) => runs.length > 1).length,
    lost: lost.length,
    lostIds: lost,
    afterSettled,
    beyondRoom: beyondRoom(lines),
    overlaps,
    charged,
    ghosts: children.filter(({ last, child }) => !last && runsOf.has(child)).length,
    dead: dead.size,
    deadIds: [...dead],
  }
}
