import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killLoop } from '../helpers/kill-loop.ts'
import { built } from '../helpers/mutant.ts'
import { Brokers } from './brokers.ts'
import { HELP, type Wanted, wanted } from './options.ts'
import { showProgress } from './progress.ts'
import { faultsOf, summaryOf } from './report.ts'
import { Siege } from './siege.ts'

const MINUTE_MS = 60_000
const WORK_MS = 300
const QUIET_MS = 120_000
/** As the test of the kill loop: beyond a second suspects are tried between two kills. */
const KILL_WITHIN_MS = 100
const INTERRUPTED = 130

type Result = 'passed' | 'failed' | 'interrupted'

async function besiege(asked: Extract<Wanted, { what: 'rabbitmq' }>, signal: AbortSignal): Promise<Result> {
  const { minutes, seed, queues, nodes } = asked
  const again = `npm run torture -- rabbitmq --minutes ${minutes} --seed ${seed} --queues ${queues} --nodes ${nodes}`
  process.stderr.write(`${again}\nstarting RabbitMQ ...\n`)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-torture-'))
  await using brokers = await Brokers.start(nodes)
  const siege = new Siege({
    built,
    folder,
    brokers,
    queues,
    seed,
    publishers: 4,
    each: 5,
    workers: 3,
    workMs: WORK_MS,
    durationMs: minutes * MINUTE_MS,
    atLeast: { broker: 2, node: 6, recovered: 1 },
    betweenBrokerKills: [5_000, 20_000],
    victims: ['broker', 'publisher', 'worker'],
    quietMs: QUIET_MS,
  })
  const endProgress = showProgress(() => siege.progress, minutes * MINUTE_MS)
  const report = await siege.run(signal).finally(endProgress)
  process.stdout.write(`${summaryOf(report)}\n`)
  if (signal.aborted) {
    process.stdout.write(
      'ended before everything was worked off: what is lost or away above may have been on its way\n',
    )
    rmSync(folder, { recursive: true, force: true })
    return 'interrupted'
  }
  const faults = faultsOf(report)
  if (faults.length === 0) {
    rmSync(folder, { recursive: true, force: true })
    process.stdout.write('nothing is lost\n')
    return 'passed'
  }
  process.stdout.write(`${report.evidence.join('\n')}\nFAILED: ${faults.join(', ')}\n`)
  process.stdout.write(`journals and ledgers: ${folder}\nagain: ${again}\n`)
  return 'failed'
}

async function killOver(cycles: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-torture-'))
  const { evidence, ...verdict } = await killLoop({ built, folder, cycles, withinMs: KILL_WITHIN_MS })
  const { acknowledged, ranTwice, ...faults } = verdict
  process.stdout.write(`${JSON.stringify({ acknowledged, ranTwice, ...faults })}\n`)
  if (Object.values(faults).every((count) => count === 0)) {
    rmSync(folder, { recursive: true, force: true })
    return 'passed'
  }
  process.stdout.write(`${evidence.join('\n')}\nFAILED; journal and ledger: ${folder}\n`)
  return 'failed'
}

async function main(): Promise<void> {
  let asked: Wanted
  try {
    asked = wanted(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`)
    process.exitCode = 2
    return
  }
  if (asked.what === 'help') return void process.stdout.write(HELP)
  if (asked.what === 'kill') return end(await killOver(asked.cycles))
  const interrupt = new AbortController()
  process.once('SIGINT', () => {
    process.stderr.write('\nends; once more to leave at once\n')
    interrupt.abort()
    process.once('SIGINT', () => process.exit(INTERRUPTED))
  })
  end(await besiege(asked, interrupt.signal))
}

function end(result: Result): void {
  process.exitCode = { passed: 0, failed: 1, interrupted: INTERRUPTED }[result]
}

await main()
