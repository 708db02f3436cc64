import type { Playing, Seen } from './playing.ts'
import { countIn, merged, type Report, type Stats, unfinished } from './report.ts'
import type { NodeSettings, Settings } from './settings.ts'
import { ServiceProcess } from './service-process.ts'

type Shared = Settings & { readonly broker: Omit<NodeSettings, 'name'> }

/** A web process and two workers that share a broker. Each has a journal of its own, so what they tell is added up. */
export class Fleet implements Playing {
  readonly #web: ServiceProcess
  /** The one that writes the feeds too. */
  readonly first: ServiceProcess
  readonly second: ServiceProcess

  constructor({ broker, ...settings }: Shared) {
    const processOf = (name: NodeSettings['name']) => new ServiceProcess({ ...settings, node: { name, ...broker } })
    this.#web = processOf('web')
    this.first = processOf('worker-1')
    this.second = processOf('worker-2')
  }

  get url(): string | undefined {
    return this.#web.url
  }

  /** Ids among the nodes of the broker, as far as they are known. */
  get nodes(): readonly string[] {
    return this.#all.flatMap(({ node }) => node ?? [])
  }

  /** Where one of them cannot start, it rejects when the others have. */
  async start(): Promise<void> {
    const starts = await Promise.allSettled(this.#all.map((each) => each.start()))
    for (const start of starts) if (start.status === 'rejected') throw start.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((each) => each[Symbol.asyncDispose]()))
  }

  async look(signal: AbortSignal): Promise<Seen> {
    const answers = new Map<ServiceProcess, Stats | undefined>()
    // In this order nothing is missed: a job has left the web process when the jobs that it enqueued are with the workers.
    for (const each of this.#all) answers.set(each, await each.stats(signal))
    const isOver = [...answers.values()].every((stats) => stats !== undefined && unfinished(stats) === 0)
    return {
      stats: this.#all.flatMap(({ latestStats }) => latestStats),
      state: isOver ? 'over' : 'going-on',
      text: [this.#count(), ...[this.first, this.second].map((each) => takenBy(each, answers.get(each)))].join(', '),
    }
  }

  async report(signal: AbortSignal): Promise<Report> {
    return merged(await Promise.all(this.#all.map((each) => each.report(signal))))
  }

  get #all(): readonly ServiceProcess[] {
    return [this.#web, this.first, this.second]
  }

  #count(): string {
    const jobs = unfinished(this.#web.latestStats) + countIn(this.first.latestStats, 'away')
    return `${jobs.toLocaleString('en')} jobs unfinished`
  }
}

/** What a worker has taken is a job of somebody else, and unfinished there, where it is away. */
function takenBy({ name }: ServiceProcess, stats: Stats | undefined): string {
  if (stats === undefined) return `${name} is down`
  return `${(unfinished(stats) - countIn(stats, 'away')).toLocaleString('en')} with ${name}`
}
