import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { RabbitmqOptions } from '../../adapters/rabbitmq/index.ts'
import { ledgerFile } from './ledger-folder.ts'

export interface NodePlan {
  /** The build to run, which may be a mutant. */
  readonly built: string
  readonly folder: string
  readonly role: 'publisher' | 'worker'
  /** Unique among all, without dots. */
  readonly name: string
  /** Of a publisher: how many publish at once in it. */
  readonly publishers: number
  /** How long their jobs take at most. */
  readonly workMs: number
  readonly broker: RabbitmqOptions
}

/** One that has died by itself begins anew after this, too. */
const AGAIN_MS = 200

/** A node in a process of its own, which is started again on the same journal whenever it has died. */
export class KeptNode {
  readonly plan: NodePlan
  #child: ChildProcess | undefined
  #working: ChildProcess | undefined
  #lives = 0
  #again: NodeJS.Timeout | undefined
  #status: 'kept' | 'draining' | 'let go' = 'kept'
  #isOver: () => void = () => {}
  /** It was told to drain, and has; or it was let go. */
  readonly over: Promise<void>
  /** How often it has ended without being told to. */
  crashes = 0

  constructor(plan: NodePlan) {
    this.plan = plan
    this.over = new Promise((resolve) => {
      this.#isOver = resolve
    })
  }

  get journal(): string {
    return join(this.plan.folder, `${this.plan.name}.db`)
  }

  get life(): string {
    return `${this.plan.name}.${this.#lives}`
  }

  /** One that is killed again and again while it starts has never anything to lose. */
  get isWorking(): boolean {
    return this.#child !== undefined && this.#working === this.#child
  }

  start(): void {
    const { built, folder, role, name, publishers, workMs, broker } = this.plan
    this.#lives++
    const script = join(built, 'test/fixtures/torture-node.js')
    const errors = openSync(join(folder, `${name}.errors`), 'a', 0o600)
    const asked = [role, this.journal, String(publishers), String(workMs), JSON.stringify(broker)]
    // A group of its own: what is typed at the terminal is for who has started it.
    const child = spawn(process.execPath, [script, ...asked], {
      env: { ...process.env, MILLRACE_LEDGER: ledgerFile(folder, name), MILLRACE_LIFE: this.life },
      stdio: ['pipe', 'pipe', errors],
      detached: true,
    })
    closeSync(errors)
    this.#child = child
    child.stdin?.on('error', () => child.kill('SIGKILL'))
    child.stdout?.once('data', () => {
      this.#working = child
    })
    child.once('exit', (code) => this.#ended(child, code))
    if (this.#status === 'draining') child.stdin?.write('drain')
  }

  /** Resolves when it is dead; it is started again after a pause. */
  async kill(pauseMs: number): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    await ended(child)
    this.#startIn(pauseMs)
  }

  drain(): void {
    this.#status = 'draining'
    this.#child?.stdin?.write('drain')
  }

  /** Ends it for good, at once. */
  async letGo(): Promise<void> {
    this.#status = 'let go'
    clearTimeout(this.#again)
    const child = this.#child
    this.#child = undefined
    if (child !== undefined) await ended(child)
    this.#isOver()
  }

  #startIn(ms: number): void {
    if (this.#status === 'let go') return
    this.#again = setTimeout(() => this.start(), ms)
  }

  #ended(child: ChildProcess, code: number | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#status === 'draining' && code === 0) return this.#isOver()
    this.crashes++
    this.#startIn(AGAIN_MS)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}
