import { randomUUID } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createRuntime, stopOnSignals } from 'millrace'
import { type Recovered, recoveredBy, reportOf } from './report.ts'
import { runtimeOptions } from './runtime-options.ts'
import { fromEnvironment, paths } from './settings.ts'
import { deliver, NETWORKS, SAME_POST_MS, share, thumbnail, WIDTHS } from './tasks.ts'

/** What the service tells the process that has started it. */
export interface Listening {
  readonly type: 'listening'
  readonly port: number
  readonly recovered: Recovered
  /** Its id among the nodes of the broker, if there is one. */
  readonly node: string | undefined
}

/** What it answers to a post. */
export interface Taken {
  /** How many of its jobs were there already. */
  readonly known: number
  /** From the first `enqueue` until all jobs were durable. */
  readonly durableMs: number
}

const settings = fromEnvironment()
const { folder, network } = settings

const runtime = await createRuntime(runtimeOptions(settings))
const recovered = await recoveredBy(runtime)
const node = settings.node === undefined ? undefined : runtime.nodes().find(({ isSelf }) => isSelf)?.node
stopOnSignals(runtime, { graceMs: 1_000 })
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

const server = createServer((request, response) => {
  answer(request).then(
    (value) => reply(response, 200, value),
    (error: unknown) => reply(response, 500, { error: String(error) }),
  )
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.send?.({ type: 'listening', port, recovered, node } satisfies Listening)
})

async function answer(request: IncomingMessage): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://service')
  switch (`${request.method} ${pathname}`) {
    case 'POST /photos':
      return post(request, Number(searchParams.get('photo')), Number(searchParams.get('author')))
    case 'GET /stats':
      return runtime.tasks()
    case 'GET /report':
      return reportOf(runtime)
    default:
      throw new Error(`there is no ${request.method} ${pathname}`)
  }
}

/**
 * Returns when the picture and all jobs of the post are durable. The keys make it safe to send a post again: whatever
 * part of it is there already is not enqueued twice.
 */
async function post(request: IncomingMessage, photo: number, author: number): Promise<Taken> {
  const original = paths.original(folder, photo)
  await writeWhole(original, await buffer(request))
  const once = (part: string | number) => ({ key: { key: `${photo}:${part}`, scope: SAME_POST_MS } })
  const enqueuedAt = performance.now()
  // Enqueued in one turn of the loop, so they are one commit.
  const jobs = await Promise.all([
    ...WIDTHS.map((width) =>
      runtime.enqueue(thumbnail, { original, file: paths.thumbnail(folder, photo, width), width }, once(width)),
    ),
    runtime.enqueue(deliver, { photo, author }, once('feed')),
    ...NETWORKS.map((name) => runtime.enqueue(share, { photo, url: `${network}/${name}/${photo}` }, once(name))),
  ])
  const known = jobs.filter((job) => job.duplicate).length
  return { known, durableMs: performance.now() - enqueuedAt }
}

/** Whoever reads the file meanwhile, or after a kill, finds all of it or none. */
async function writeWhole(file: string, content: Buffer): Promise<void> {
  const unfinished = `${file}.${randomUUID()}`
  await writeFile(unfinished, content, { flush: true })
  await rename(unfinished, file)
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
