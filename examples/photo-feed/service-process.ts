import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Playing, Seen } from './playing.ts'
import { type Recovered, type Report, type Stats, unfinished } from './report.ts'
import type { Listening } from './service.ts'
import { type Settings, toEnvironment } from './settings.ts'

const SERVICE = fileURLToPath(new URL('./service.js', import.meta.url))

/** The service in a process of its own, which can be killed and started again. */
export class ServiceProcess implements Playing {
  readonly name: string
  readonly #settings: Settings
  #child: ChildProcess | undefined
  #url: string | undefined
  #node: string | undefined
  #latest: Stats = []

  constructor(settings: Settings) {
    this.name = settings.node?.name ?? 'the service'
    this.#settings = settings
  }

  /** Where it listens; `undefined` while it is down. */
  get url(): string | undefined {
    return this.#url
  }

  /** Its id among the nodes of the broker, once it has started. */
  get node(): string | undefined {
    return this.#node
  }

  /** Resolves when it listens, to what it found in its journal. Detached: Ctrl-C reaches the demo alone, which then stops the service. */
  async start(): Promise<Recovered> {
    const env = { ...process.env, ...toEnvironment(this.#settings) }
    const child = fork(SERVICE, { env, detached: true })
    this.#child = child
    const { port, recovered, node } = await new Promise<Listening>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Listening))
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${this.name} ended with ${signal ?? code} as it started`)))
    })
    this.#url = `http://127.0.0.1:${port}`
    this.#node = node
    return recovered
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#url = undefined
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('SIGTERM')
  }

  async look(signal: AbortSignal): Promise<Seen> {
    const stats = await this.stats(signal)
    if (stats === undefined) return { stats: this.#latest, state: 'going-on', text: `${this.name} is down` }
    const jobs = unfinished(stats)
    return { stats, state: jobs === 0 ? 'over' : 'going-on', text: `${jobs.toLocaleString('en')} jobs unfinished` }
  }

  /** `undefined` while it is down. */
  async stats(signal: AbortSignal): Promise<Stats | undefined> {
    const stats = (await this.#get('/stats', signal)) as Stats | undefined
    if (stats !== undefined) this.#latest = stats
    return stats
  }

  /** What it has told last. */
  get latestStats(): Stats {
    return this.#latest
  }

  async report(signal: AbortSignal): Promise<Report> {
    const report = await this.#get('/report', signal)
    if (report === undefined) throw new Error(`${this.name} is down, and was expected to be up`)
    return report as Report
  }

  async #get(path: string, signal: AbortSignal): Promise<unknown> {
    const url = this.#url
    if (url === undefined) return undefined
    try {
      const answer = await fetch(url + path, { signal })
      const value: unknown = await answer.json()
      if (answer.ok) return value
      throw new Error(`${this.name} answered ${answer.status} to ${path}: ${JSON.stringify(value)}`)
    } catch (error) {
      if (this.#url === url) throw error
      return undefined
    }
  }
}
