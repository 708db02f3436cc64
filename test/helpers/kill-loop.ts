import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, closeSync, copyFileSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stateCodes } from '../../lib/job-state.ts'
import { formatJobId } from '../../lib/job.ts'
import { Database } from '../../runtime/index.ts'
import { journalFiles } from '../../runtime/journal/files/files.ts'
import { type LedgerVerdict, verdictOf } from './kill-verdict.ts'
import { whenFile } from './when-file.ts'
import { ledgerLines } from './scratch.ts'

export interface KillLoop {
  /** The build to run, which may be a mutant. */
  readonly built: string
  readonly folder: string
  readonly cycles: number
  /** What the victim gets at the end to work off what is left. Default 60,000. */
  readonly drainMs?: number
  /** Kills come so many ms after the first acknowledgement, at random: up to that, or from one to the other, in turn. */
  readonly withinMs: number | readonly (readonly [from: number, to: number])[]
  /** Each life begins with a job that takes so many ms. Default: with none. */
  readonly longMs?: number
}

export interface Verdict extends LedgerVerdict {
  /** All that the ledger and the journal say of the first of the lost and of the first dead, and what else is left. */
  readonly evidence: readonly string[]
  /** Of the victim that had to work off what was left: its exit code, or the signal that ended it. */
  readonly drained: number | NodeJS.Signals
}

const DRAIN_MS = 60_000

/** Of as many jobs of each kind all is shown that is known of them. */
const SHOWN = 5

/** Runs the victim and kills it, over and over; then lets it work off what is left, and reads the ledger. */
export async function killLoop(loop: KillLoop): Promise<Verdict> {
  const { built, folder, cycles, drainMs = DRAIN_MS } = loop
  const ledger = join(folder, 'ledger')
  const lives = typeof loop.withinMs === 'number' ? [[0, loop.withinMs] as const] : loop.withinMs
  const mode = ['load', String(loop.longMs ?? 0)]
  for (let cycle = 0; cycle < cycles; cycle++) {
    const [from, to] = lives[cycle % lives.length] as readonly [number, number]
    await killOnce({ built, folder, ledger, mode, lifeMs: from + Math.random() * (to - from) })
  }
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
  /** After this long it is killed, from its start or its first acknowledgement on. Default 60,000. */
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

async function killOnce({ built, folder, ledger, mode, lifeMs }: Life & { readonly lifeMs: number }): Promise<void> {
  const before = lengthOf(ledger)
  const victim = start(built, folder, ledger, mode)
  const exited = once(victim, 'exit')
  await whenFile(ledger, () => textFrom(ledger, before).includes('\nack '), exited)
  await new Promise((resolve) => setTimeout(resolve, lifeMs))
  victim.kill('SIGKILL')
  await exited
  const held = heldIn(folder).map(({ id, claim }) => `\nheld ${id} ${victim.pid} ${claim} .`)
  appendFileSync(ledger, `${held.join('')}\nkilled ${victim.pid} .`)
}

/** The claims that a kill has left in the journal; in a copy, since the next life is to find the log as the kill has left it. */
function heldIn(folder: string): readonly { readonly id: string; readonly claim: number }[] {
  const { main, wal } = journalFiles(join(folder, 'jobs.db'))
  const copy = journalFiles(join(folder, 'as-killed.db'))
  for (const path of Object.values(copy)) rmSync(path, { force: true })
  copyFileSync(main, copy.main)
  if (existsSync(wal)) copyFileSync(wal, copy.wal)
  const db = new Database(copy.main)
  const name = db.prepare<[], string>('SELECT journal FROM millrace_meta').pluck().get() ?? ''
  const claims = db.prepare<[number], { id: number; claim: number }>(
    'SELECT id, claim FROM millrace_jobs WHERE state = ?',
  )
  const held = claims.all(stateCodes.running).map(({ id, claim }) => ({ id: formatJobId(name, id), claim }))
  db.close()
  return held
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

function textFrom(ledger: string, at: number): string {
  const length = lengthOf(ledger) - at
  if (length <= 0) return ''
  const descriptor = openSync(ledger, 'r')
  const buffer = Buffer.alloc(length)
  readSync(descriptor, buffer, 0, length, at)
  closeSync(descriptor)
  return buffer.toString()
}
