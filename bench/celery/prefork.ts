import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AMQP_URL } from '../amqplib-alone.ts'
import { LineProcess } from '../line-process.ts'
import { INPUT } from '../payload.ts'

/** Without importing it, which takes a second. */
const VERSION = "import importlib.metadata as metadata; print(metadata.version('celery'))"
const PYTHONS = ['python3', '/usr/bin/python3']
const POOL = 2
const CELL_BYTES = 8
/** The compiler copies no Python: what was built runs the files of the source. */
const HERE = import.meta.url.endsWith('.ts') ? '.' : '../../../bench/celery'

export interface Python {
  readonly command: string
  /** Of Celery. */
  readonly version: string
}

/** A Python that has Celery; `undefined` where there is none, which is said. */
export function findCelery(): Python | undefined {
  for (const command of PYTHONS) {
    const { status, stdout } = spawnSync(command, ['-c', VERSION], { encoding: 'utf8' })
    if (status === 0) return { command, version: stdout.trim() }
  }
  process.stderr.write(`left out: Celery cannot be imported by ${PYTHONS.join(' or ')} (Debian: python3-celery)\n`)
  return undefined
}

/** How Celery is used: it has several ways, and is measured in its best. */
export interface Way {
  /** Messages that each process of the pool may have claimed. */
  readonly prefetch: number
  /** Threads of the publisher that call `apply_async`. */
  readonly callers: number
  /** 'counted': results are ignored, and the publisher sees a count in shared memory. 'home': they come back by rpc. */
  readonly outcomes: 'counted' | 'home'
}

export type CeleryTask = 'noop' | 'busy' | 'waiting'

/** A publisher and a worker with two processes, on a queue of their own. */
export class Prefork implements AsyncDisposable {
  /** The name of its queue and of its exchange, behind the prefix. */
  static readonly queue = 'celery'
  readonly #way: Way
  readonly #counts: string
  readonly #publisher: LineProcess
  readonly #worker: LineProcess
  #asked = 0

  private constructor(way: Way, counts: string, publisher: LineProcess, worker: LineProcess) {
    this.#way = way
    this.#counts = counts
    this.#publisher = publisher
    this.#worker = worker
  }

  /** Resolves when a job has gone all the way. */
  static async start({ command }: Python, way: Way, prefix: string, folder: string): Promise<Prefork> {
    const counts = join(folder, `counts-${way.prefetch}`)
    writeFileSync(counts, Buffer.alloc(POOL * CELL_BYTES))
    const env = {
      AMQP_URL,
      BENCH_QUEUE: prefix + Prefork.queue,
      BENCH_COUNTS: counts,
      BENCH_PREFETCH: String(way.prefetch),
      PYTHONDONTWRITEBYTECODE: '1',
    }
    const run = (file: string) =>
      LineProcess.start(command, [fileURLToPath(new URL(`${HERE}/${file}`, import.meta.url))], env)
    const [publisher, worker] = await Promise.all([run('publish.py'), run('work.py')])
    const started = new Prefork(way, counts, publisher, worker)
    await started.run('noop', 1)
    return started
  }

  /** Milliseconds from the first call until the publisher knows of the last outcome. */
  async run(task: CeleryTask, jobs: number, { callers, outcomes }: Omit<Way, 'prefetch'> = this.#way): Promise<number> {
    const named = task === 'noop' && outcomes === 'home' ? 'answered' : task
    const answer = await this.#publisher.ask(JSON.stringify({ task: named, value: INPUT, jobs, callers }))
    const { doneMs, ran } = JSON.parse(answer) as { readonly doneMs: number; readonly ran: number }
    this.#asked += jobs
    if (ran !== jobs) throw new Error(`Celery has run ${ran} jobs instead of ${jobs}`)
    return doneMs
  }

  /** Throws if it has run more jobs or fewer than it was asked for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher[Symbol.asyncDispose]()
    await this.#worker[Symbol.asyncDispose]()
    const counts = readFileSync(this.#counts)
    let ran = 0n
    for (let at = 0; at < counts.length; at += CELL_BYTES) ran += counts.readBigInt64LE(at)
    if (ran !== BigInt(this.#asked))
      throw new Error(`Celery has run ${ran} jobs, of ${this.#asked} that were published`)
  }
}
