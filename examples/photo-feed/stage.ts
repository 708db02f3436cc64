import { checkFeeds, checkJobs, checkShares, checkThumbnails } from './check.ts'
import { type Interruption, runCourse } from './course.ts'
import { FlakyNetwork } from './flaky-network.ts'
import { Fleet } from './fleet.ts'
import { killAndRestart } from './kill.ts'
import { killWorker } from './kill-worker.ts'
import type { Options } from './options.ts'
import { picturesFrom } from './pictures.ts'
import { type Plan, planOf } from './plan.ts'
import type { Playing } from './playing.ts'
import { Progress } from './progress.ts'
import { RunQueues } from './run-queues.ts'
import { runsOf } from './runs.ts'
import { ServiceProcess } from './service-process.ts'
import { paths, type Settings } from './settings.ts'
import { checksText, introduction, summaryOf } from './summary.ts'
import { shownMs } from './table.ts'

/** What the demo is about, wherever it runs. */
interface Stage {
  readonly options: Options
  readonly plan: Plan
  readonly settings: Settings
  readonly network: FlakyNetwork
  readonly pictures: readonly Buffer[]
  readonly startedAt: number
  readonly signal: AbortSignal
}

/** The whole demo in an empty folder with a feed store; returns what the process ends with. */
export async function perform(options: Options, folder: string, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const plan = planOf(options.authors, options.users)
  console.log(`${introduction(plan, options)}\n`)
  const pictures = await picturesFrom(options.photos, console.log)
  await using network = await FlakyNetwork.start()
  const settings = { folder, users: plan.users, network: network.url }
  const stage = { options, plan, settings, network, pictures, startedAt, signal }
  return options.broker === undefined ? await runAlone(stage) : await runOnBroker(stage, options.broker)
}

/** One process does everything. */
async function runAlone(stage: Stage): Promise<number> {
  await using service = new ServiceProcess(stage.settings)
  await service.start()
  return await play(stage, service, (scene) => killAndRestart(service, scene))
}

/** Several share a broker, on which nothing is left. */
async function runOnBroker(stage: Stage, url: string): Promise<number> {
  const queues = new RunQueues(url)
  const fleet = new Fleet({ ...stage.settings, broker: { broker: url, prefix: queues.prefix } })
  try {
    await fleet.start()
    return await play(stage, fleet, (scene) => killWorker(fleet, scene))
  } finally {
    await fleet[Symbol.asyncDispose]()
    await queues.remove(fleet.nodes)
  }
}

async function play(stage: Stage, service: Playing, interruption: Interruption): Promise<number> {
  const { options, plan, settings, network, pictures, startedAt, signal } = stage
  const { folder } = settings
  const progress = new Progress(plan)
  const scene = { plan, folder, service, progress, signal }
  const course = await runCourse(scene, pictures, options.kill === 'half-way' ? interruption : undefined)
  const report = await service.report(signal)
  progress.keep()
  progress.tell('every job has ended; now every list, file and cross-post is looked at')

  const checks = [
    checkFeeds(paths.feeds(folder), plan.users, plan.posts),
    await checkThumbnails(folder, plan.posts),
    checkShares(network.accepted, plan.posts),
    checkJobs(plan.jobs, report),
  ]
  const isWell = checks.every(({ faults }) => faults.length === 0)
  const runs = options.broker === undefined ? undefined : runsOf(folder, course.kill)
  console.log(`\n${summaryOf(plan, course, report, runs)}\n\n${checksText(checks)}\n`)
  console.log(`${isWell ? 'All is well' : 'NOT all is well'}, after ${shownMs(performance.now() - startedAt)}.`)
  return isWell ? 0 : 1
}
