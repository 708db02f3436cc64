import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { scatter } from './followers.ts'

/** What a network does with a cross-post. 'silent': it takes the post and hangs up before it says so. */
type Mood = 'accept' | 'refuse' | 'hang-up' | 'silent'

/** After so many failures in a row the next try is accepted: it is flaky, not down. */
const PATIENCE = 3
const SLOWEST_MS = 80

/** Somebody else's server: slow, and every third time it fails. It remembers what it has accepted. */
export class FlakyNetwork implements AsyncDisposable {
  /** By path: how often it was accepted. */
  readonly accepted = new Map<string, number>()
  failed = 0
  readonly #tries = new Map<string, number>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<FlakyNetwork> {
    const server = createServer()
    const network = new FlakyNetwork(server)
    server.on('request', (request, response) => {
      text(request)
        .then(() => network.#take(request.url ?? '', response))
        .catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return network
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #take(path: string, response: ServerResponse): Promise<void> {
    const tries = (this.#tries.get(path) ?? 0) + 1
    this.#tries.set(path, tries)
    const chance = scatter(hashOf(path) + tries)
    await sleep(chance % SLOWEST_MS)
    const mood = tries > PATIENCE ? 'accept' : moodOf(chance)
    if (mood === 'accept' || mood === 'silent') this.accepted.set(path, (this.accepted.get(path) ?? 0) + 1)
    if (mood !== 'accept') this.failed++
    if (mood === 'accept') response.end()
    else if (mood === 'refuse') response.writeHead(503).end()
    else response.destroy()
  }
}

function moodOf(chance: number): Mood {
  const percent = Math.floor((chance / 2 ** 32) * 100)
  if (percent < 20) return 'refuse'
  if (percent < 28) return 'hang-up'
  return percent < 32 ? 'silent' : 'accept'
}

function hashOf(path: string): number {
  let hash = 0
  for (let at = 0; at < path.length; at++) hash = scatter(hash * 31 + path.charCodeAt(at))
  return hash
}
