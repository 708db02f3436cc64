import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerUnusable, checkBroker } from './broker-check.ts'
import { FeedStore } from './feed-store.ts'
import { HELP, type Options, readOptions, UNUSABLE_BROKER } from './options.ts'
import { QueuesLeft } from './run-queues.ts'
import { paths } from './settings.ts'
import { perform } from './stage.ts'

/** Returns what the process ends with. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === 'help') {
    console.log(HELP)
    return 0
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  // Nobody reads on, as behind a pipe that has ended.
  process.stdout.on('error', () => stop.abort())
  try {
    if (options.broker !== undefined) await checkBroker(options.broker, stop.signal)
    return await inFolder(options, (folder) => perform(options, folder, stop.signal))
  } catch (error) {
    if (!stop.signal.aborted || error instanceof QueuesLeft) throw error
    console.log('\nstopped; nothing is left running')
    return 130
  }
}

/** In the folder that was asked for, or in one that is gone afterwards. */
async function inFolder(options: Options, run: (folder: string) => Promise<number>): Promise<number> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'photo-feed-'))
  try {
    prepare(folder, options.users)
    return await run(folder)
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

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return error instanceof BrokerUnusable ? UNUSABLE_BROKER : 1
})
