import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync, statSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import { Database } from '../../runtime/index.ts'
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
  /** Acknowledged, or the child of a committed success, and never run to its end. */
  readonly lost: number
  /** Everything that the ledger says of the first of them, and what is left in the journal. */
  readonly evidence: readonly string[]
  /** Begun again although its end had been committed. */
  readonly afterSettled: number
  /** Begun twice as the same attempt within one life of the process. */
  readonly overlaps: number
  /** Run although the attempt that enqueued it was not the one that was committed. */
  readonly ghosts: number
  readonly dead: number
}

const DRAIN_MS = 60_000

/** Runs the victim and kills it, over and over; then lets it work off what is left, and reads the ledger. */
export async function killLoop({ built, folder, cycles, withinMs, drainMs = DRAIN_MS }: KillLoop): Promise<Verdict> {
  const ledger = join(folder, 'ledger')
  for (let cycle = 0; cycle < cycles; cycle++) await killOnce(built, folder, ledger, withinMs)
  await runVictim({ built, folder, ledger, mode: ['drain'], lifeMs: drainMs })
  const verdict = verdictOf(ledgerLines(ledger))
  return { ...verdict, evidence: [...verdict.evidence, ...leftIn(join(folder, 'jobs.db'))] }
}

export interface Life {
  readonly built: string
  readonly folder: string
  readonly ledger: string
  readonly mode: readonly string[]
  /** After this long it is killed. Default 60,000. */
  readonly lifeMs?: number
}

/** Rows that should not be there any more. */
function leftIn(journal: string): string[] {
  const db = new Database(journal, { readonly: true })
  const rows = db.prepare('SELECT id, task, state, rank, claim, attempt, crashes FROM millrace_jobs LIMIT 5').all()
  db.close()
  return rows.map((row) => JSON.stringify(row))
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

/** Reads the ledger line by line, in the order in which everything has happened; a torn line has not happened. */
function verdictOf(all: readonly (readonly string[])[]): Verdict {
  const lines = all.filter((words) => words.at(-1) === '.')
  const acknowledged = new Set<string>()
  const ended = new Set<string>()
  const settled = new Set<string>()
  const runsOf = new Map<string, string[]>()
  const childrenOf = new Map<string, { readonly run: number; readonly child: string }[]>()
  let afterSettled = 0
  let overlaps = 0
  let dead = 0
  for (const [what = '', id = '', other = '', attempt = ''] of lines) {
    const runs = runsOf.get(id) ?? []
    if (what === 'ack') acknowledged.add(id)
    if (what === 'end') ended.add(id)
    if (what === 'settled') settled.add(id)
    if (what === 'dead') dead++
    if (what === 'child') childrenOf.set(id, [...(childrenOf.get(id) ?? []), { run: runs.length, child: other }])
    if (what !== 'start') continue
    if (settled.has(id)) afterSettled++
    if (runs.includes(`${other} ${attempt}`)) overlaps++
    runsOf.set(id, [...runs, `${other} ${attempt}`])
  }
  const children = [...childrenOf].flatMap(([parent, all]) => {
    const runs = runsOf.get(parent)?.length ?? 0
    return all.map(({ run, child }) => ({ child, committed: run === runs && settled.has(parent), last: run === runs }))
  })
  const due = [...acknowledged, ...children.filter(({ committed }) => committed).map(({ child }) => child)]
  const firstLost = due.find((id) => !ended.has(id))
  return {
    acknowledged: acknowledged.size,
    ranTwice: [...runsOf.values()].filter((runs) => runs.length > 1).length,
    lost: due.filter((id) => !ended.has(id)).length,
    evidence: lines.filter((words) => words.includes(firstLost ?? 'none')).map((words) => words.join(' ')),
    afterSettled,
    overlaps,
    ghosts: children.filter(({ last, child }) => !last && runsOf.has(child)).length,
    dead,
  }
}
