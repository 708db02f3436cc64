import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkFeeds, checkJobs, checkShares, checkThumbnails } from './check.ts'
import { runCourse } from './course.ts'
import { FeedStore } from './feed-store.ts'
import { FlakyNetwork } from './flaky-network.ts'
import { HELP, type Options, readOptions } from './options.ts'
import { picturesFrom } from './pictures.ts'
import { planOf } from './plan.ts'
import { Progress } from './progress.ts'
import { ServiceProcess } from './service-process.ts'
import { paths } from './settings.ts'
import { checksText, introduction, summaryOf } from './summary.ts'
import { shownMs } from './table.ts'

/** Returns what the process ends with. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === 'help') {
    console.log(HELP)
    return 0
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'photo-feed-'))
  try {
    prepare(folder, options.users)
    return await run(options, folder, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    console.log('\nstopped')
    return 130
  } finally {
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

function prepare(folder: string, users: number): void {
  mkdirSync(folder, { recursive: true })
  if (readdirSync(folder).length > 0)
    throw new Error(`the folder ${folder} is not empty; name one that is, or a new one`)
  for (const part of ['originals', 'thumbnails']) mkdirSync(join(folder, part))
  FeedStore.create(paths.feeds(folder), users)
}

async function run(options: Options, folder: string, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const plan = planOf(options.authors, options.users)
  console.log(introduction(plan))
  const pictures = await picturesFrom(options.photos)
  await using network = await FlakyNetwork.start()
  await using service = new ServiceProcess({ folder, users: plan.users, network: network.url })
  await service.start()

  const progress = new Progress(plan)
  const course = await runCourse({ plan, folder, service, progress, signal }, pictures, options.kill)
  const report = await service.report(signal)
  progress.tell('every job has ended; looking at what they have done')

  const checks = [
    checkFeeds(paths.feeds(folder), plan.users, plan.posts),
    await checkThumbnails(folder, plan.posts),
    checkShares(network.accepted, plan.posts),
    checkJobs(plan.jobs, report),
  ]
  const isWell = checks.every(({ faults }) => faults.length === 0)
  console.log(`\n${summaryOf(plan, course, report)}\n\n${checksText(checks)}\n`)
  console.log(`${isWell ? 'All is well' : 'NOT all is well'}, after ${shownMs(performance.now() - startedAt)}.`)
  return isWell ? 0 : 1
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 1
})
