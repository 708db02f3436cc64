import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Brokers } from './brokers.ts'
import { leftIn } from './journals.ts'
import { KeptNode, type NodePlan } from './kept-node.ts'
import { ledgerFile, LedgerFolder } from './ledger-folder.ts'
import { type Range, Random } from './random.ts'
import { faults, Tally, type Verdict } from './tally.ts'

export interface SiegePlan {
  /** The build to run, which may be a mutant. */
  readonly built: string
  /** Where journals and ledgers go. */
  readonly folder: string
  readonly brokers: Brokers
  readonly queues: 'quorum' | 'classic'
  readonly seed: number
  /** Processes that publish, how many publish at once in each, and processes that work. */
  readonly publishers: number
  readonly each: number
  readonly workers: number
  /** How long jobs take at most. */
  readonly workMs: number
  /** The killing lasts for so long, and until so many were killed, and so many jobs were cut short and ended by another. */
  readonly durationMs: number
  readonly atLeast: { readonly broker: number; readonly node: number; readonly recovered: number }
  /** How long the broker is left alone between two of its deaths. */
  readonly betweenBrokerKills: Range
  readonly victims: readonly ('broker' | NodePlan['role'])[]
  /** At the end: after so long without a line in any ledger nothing more is expected. */
  readonly quietMs: number
}

export interface Report extends Verdict {
  readonly kills: Readonly<Record<SiegePlan['victims'][number], number>>
  /** Rows that should not be in the journals any more. */
  readonly left: number
  /** How often a node has ended that nobody had killed. */
  readonly crashes: number
  /** Everything that is known of the first jobs of each fault. */
  readonly evidence: readonly string[]
}

export interface Progress {
  readonly phase: 'starting' | 'killing' | 'draining' | 'over'
  /** Until the killing stops. */
  readonly leftMs: number
  readonly acknowledged: number
  readonly home: number
  readonly kills: Report['kills']
}

const BETWEEN_NODE_KILLS: Range = [500, 4_000]
/** Without a broker nodes have little that could be cut short: fewer of them are killed. */
const PATIENCE = { up: 1, down: 3 } as const
const NODE_PAUSE: Range = [0, 1_000]
const BROKER_PAUSE: Range = [0, 2_000]
/** A quorum queue that is younger when its broker is killed finds no leader afterwards (docs/rabbitmq.md). */
const SETTLED_MS = 2_000
/** A broker that is back is not killed before so much has come home, so that each time there is something to lose. */
const HOME_BETWEEN = 300
const HOME_WITHIN_MS = 90_000
const UP_WITHIN_MS = 60_000
const LOOK_MS = 100

/** Nodes of ours and their broker, killed at random while all of them work; then everything that was asked for is looked for. */
export class Siege {
  readonly #plan: SiegePlan
  readonly #nodes: readonly KeptNode[]
  readonly #ledgers: LedgerFolder
  readonly #tally = new Tally()
  readonly #kills = { broker: 0, publisher: 0, worker: 0 }
  #phase: Progress['phase'] = 'starting'
  #broker: 'up' | 'down' = 'up'
  #endsAtMs = 0

  constructor(plan: SiegePlan) {
    const { folder, built, brokers, queues, publishers, each, workers, workMs } = plan
    this.#plan = plan
    this.#ledgers = new LedgerFolder(folder)
    const broker = { urls: brokers.urls, queues, prefix: `siege-${randomBytes(4).toString('hex')}.` }
    const node = (role: NodePlan['role'], at: number) =>
      new KeptNode({ built, folder, role, name: `${role}${at}`, publishers: each, workMs, broker })
    this.#nodes = [
      ...Array.from({ length: workers }, (_, at) => node('worker', at)),
      ...Array.from({ length: publishers }, (_, at) => node('publisher', at)),
    ]
  }

  get progress(): Progress {
    this.#read()
    const { acknowledged, home } = this.#tally
    const leftMs = Math.max(0, this.#endsAtMs - performance.now())
    return { phase: this.#phase, leftMs, acknowledged, home, kills: { ...this.#kills } }
  }

  /** Until everything has ended, or the signal says that it shall be over now. */
  async run(signal: AbortSignal): Promise<Report> {
    try {
      this.#endsAtMs = performance.now() + this.#plan.durationMs + SETTLED_MS
      for (const node of this.#nodes) node.start()
      await this.#untilAllAreUp(signal)
      if (this.#plan.victims.includes('broker')) await pause(SETTLED_MS, signal)
      this.#phase = 'killing'
      await Promise.all([this.#killNodes(signal), this.#killBrokers(signal)])
      this.#phase = 'draining'
      // Workers have children of their own away, which others run.
      if ((await this.#drain('publisher', signal)) === 'drained') await this.#drain('worker', signal)
    } finally {
      await Promise.all(this.#nodes.map((node) => node.letGo()))
      this.#phase = 'over'
    }
    return this.#report()
  }

  async #untilAllAreUp(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + UP_WITHIN_MS
    while (this.#nodes.some(({ isWorking }) => !isWorking) && !signal.aborted) {
      if (performance.now() > deadline)
        throw new Error(`not all nodes work within ${UP_WITHIN_MS} ms; see their errors`)
      await pause(LOOK_MS, signal)
    }
  }

  async #killNodes(signal: AbortSignal): Promise<void> {
    const random = new Random(this.#plan.seed)
    const victims = this.#nodes.filter(({ plan }) => this.#plan.victims.includes(plan.role))
    while (!signal.aborted && victims.length > 0 && this.#killsNodes()) {
      await pause(random.between(BETWEEN_NODE_KILLS) * PATIENCE[this.#broker], signal)
      const victim = random.of(victims.filter(({ isWorking }) => isWorking))
      const downMs = random.between(NODE_PAUSE)
      if (victim === undefined || signal.aborted) continue
      const { life } = victim
      const from = Date.now()
      await victim.kill(downMs)
      this.#kills[victim.plan.role]++
      this.#noteKill(life, from)
    }
  }

  async #killBrokers(signal: AbortSignal): Promise<void> {
    const { brokers, seed, betweenBrokerKills } = this.#plan
    const random = new Random(~seed)
    while (!signal.aborted && this.#killsBrokers()) {
      await pause(random.between(betweenBrokerKills), signal)
      const downMs = random.between(BROKER_PAUSE)
      if (signal.aborted) return
      const from = Date.now()
      const { name, startAgain } = await brokers.kill()
      this.#kills.broker++
      this.#broker = 'down'
      await pause(downMs, signal)
      if (signal.aborted) return
      await startAgain()
      this.#broker = 'up'
      this.#noteKill(`${name}.${this.#kills.broker}`, from)
      await this.#untilMoreIsHome(signal)
    }
  }

  async #untilMoreIsHome(signal: AbortSignal): Promise<void> {
    const wanted = this.progress.home + HOME_BETWEEN
    const deadline = performance.now() + HOME_WITHIN_MS
    while (this.progress.home < wanted && performance.now() < deadline && !signal.aborted) await pause(LOOK_MS, signal)
  }

  #killsBrokers(): boolean {
    const { atLeast, victims } = this.#plan
    if (!victims.includes('broker')) return false
    return performance.now() < this.#endsAtMs || this.#kills.broker < atLeast.broker
  }

  #killsNodes(): boolean {
    const { atLeast } = this.#plan
    const { publisher, worker } = this.#kills
    if (performance.now() < this.#endsAtMs || this.#killsBrokers() || publisher + worker < atLeast.node) return true
    this.#read()
    return this.#tally.verdict().recovered < atLeast.recovered
  }

  /** Of a process it is over at once; a broker has to be there again. */
  #noteKill(life: string, from: number): void {
    appendFileSync(ledgerFile(this.#plan.folder, 'kills'), `\nkill ${life} ${from} ${Date.now()} .`)
  }

  async #drain(role: NodePlan['role'], signal: AbortSignal): Promise<'drained' | 'stuck'> {
    const nodes = this.#nodes.filter(({ plan }) => plan.role === role)
    for (const node of nodes) node.drain()
    let status: 'drained' | 'stuck' = 'stuck'
    void Promise.all(nodes.map(({ over }) => over)).then(() => {
      status = 'drained'
    })
    let lines = 0
    let movedAtMs = performance.now()
    while (status === 'stuck' && !signal.aborted && performance.now() - movedAtMs < this.#plan.quietMs) {
      await pause(LOOK_MS, signal)
      this.#read()
      if (this.#tally.lines > lines) movedAtMs = performance.now()
      lines = this.#tally.lines
    }
    return status
  }

  #read(): void {
    for (const words of this.#ledgers.news()) this.#tally.read(words)
  }

  #report(): Report {
    this.#read()
    const left = this.#nodes.flatMap(({ plan, journal }) => leftIn(journal).map((row) => `${plan.name}: ${row}`))
    const crashes = this.#nodes.reduce((sum, node) => sum + node.crashes, 0)
    return {
      ...this.#tally.verdict(),
      kills: { ...this.#kills },
      left: left.length,
      crashes,
      evidence: [...faults.flatMap((fault) => this.#tally.evidenceOf(fault)), ...left.slice(0, SHOWN)],
    }
  }
}

/** What is left in journals is shown of so many. */
const SHOWN = 5

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => 'it shall be over')
}
