import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { promisify } from 'node:util'
import amqplib, { type ChannelModel } from 'amqplib'

// The server itself, and not the wrapper in the path, which changes its user and its folder.
const BIN = '/usr/lib/rabbitmq/bin'
const STARTED_MS = 120_000
const GONE_MS = 30_000

/** A RabbitMQ server of a test's own: started, killed and started again, with its messages on disk in between. */
export class RabbitServer implements AsyncDisposable {
  readonly port: number
  readonly #ports: readonly number[]
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv
  readonly #epmd: ChildProcess
  #server: ChildProcess | undefined

  private constructor({ port, dist, epmd, name, settings, config }: Plan) {
    this.port = port
    this.#ports = [port, dist]
    this.#folder = mkdtempSync(join(tmpdir(), 'millrace-rabbitmq-'))
    const file = (name: string, text: string, mode = 0o600) => {
      writeFileSync(join(this.#folder, name), text, { mode })
      return join(this.#folder, name)
    }
    file('.erlang.cookie', 'millrace', 0o400)
    const given = Object.entries(settings).map(([name, value]) => `-rabbit ${name} ${value}`)
    this.#env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#folder,
      ERL_EPMD_PORT: String(epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `${name}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(dist),
      RABBITMQ_MNESIA_BASE: join(this.#folder, 'data'),
      RABBITMQ_LOG_BASE: join(this.#folder, 'log'),
      RABBITMQ_PID_FILE: join(this.#folder, 'pid'),
      RABBITMQ_CONF_ENV_FILE: '/nonexistent',
      RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins', '[].'),
      RABBITMQ_CONFIG_FILE: file('rabbit.conf', CONFIG + config),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: ['+S 1:1 +sbwt none', ...given].join(' '),
      ERL_CRASH_DUMP: '/dev/null',
    }
    this.#epmd = spawn('epmd', ['-port', String(epmd), '-address', '127.0.0.1'], { env: this.#env, stdio: 'ignore' })
    process.once('exit', this.#endNow)
  }

  /** Settings are those of the application `rabbit`, some of which no file of settings knows. */
  static async start(settings: Settings = {}): Promise<RabbitServer> {
    const [port, dist, epmd] = (await freePorts(3)) as [number, number, number]
    return await RabbitServer.#begin({ port, dist, epmd, name: 'millrace', settings, config: '' })
  }

  /** So many nodes of one cluster, which find each other as they start. */
  static async startCluster(size: number, settings: Settings = {}): Promise<readonly RabbitServer[]> {
    const [epmd = 0, ...ports] = await freePorts(1 + 2 * size)
    const names = Array.from({ length: size }, (_, at) => `node${at}`)
    const config = [
      'cluster_partition_handling = pause_minority',
      'cluster_formation.peer_discovery_backend = classic_config',
      ...names.map((name, at) => `cluster_formation.classic_config.nodes.${at + 1} = ${name}@localhost`),
    ]
    const starting = names.map((name, at) => {
      const [port = 0, dist = 0] = ports.slice(2 * at)
      return RabbitServer.#begin({ port, dist, epmd, name, settings, config: `${config.join('\n')}\n` })
    })
    return await Promise.all(starting)
  }

  static async #begin(plan: Plan): Promise<RabbitServer> {
    const server = new RabbitServer(plan)
    try {
      await server.start()
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
    return server
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const output = openSync(join(this.#folder, 'output'), 'a')
    const server = spawn(join(BIN, 'rabbitmq-server'), {
      env: this.#env,
      detached: true,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    this.#server = server
    const deadline = performance.now() + STARTED_MS
    for (;;) {
      const model = await tryToConnect(this.url)
      if (model !== undefined) return await model.close()
      const isOver = server.exitCode !== null || server.signalCode !== null
      if (isOver || performance.now() > deadline) throw new Error(`no RabbitMQ: ${this.#log()}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  /** As a power cut does, but for the disk's cache. */
  async kill(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server?.pid === undefined || server.exitCode !== null) return
    const exited = new Promise((resolve) => server.once('exit', resolve))
    // The whole group: the script has started Erlang and its helpers.
    process.kill(-server.pid, 'SIGKILL')
    await exited
    // Erlang is dead only when what it was writing is written, and until then the next one finds its name and its ports taken.
    for (const port of this.#ports) await untilFree(port)
  }

  /** Something that only the server's own tool can do; slow. */
  async ctl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(BIN, 'rabbitmqctl'), ['-q', ...args], { env: this.#env })
    return stdout.trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#endNow)
    await this.kill()
    // Of a cluster only the first one stays: the others have found it there and ended.
    if (this.#epmd.exitCode === null && this.#epmd.signalCode === null) {
      const exited = new Promise((resolve) => this.#epmd.once('exit', resolve))
      this.#epmd.kill('SIGKILL')
      await exited
    }
    await remove(this.#folder)
  }

  /** Where a test has failed before it could clean up. */
  readonly #endNow = (): void => {
    this.#epmd.kill('SIGKILL')
    if (this.#server?.pid !== undefined && this.#server.exitCode === null) process.kill(-this.#server.pid, 'SIGKILL')
  }

  #log(): string {
    return readFileSync(join(this.#folder, 'output'), 'utf8').slice(-2_000)
  }
}

interface Plan {
  readonly port: number
  readonly dist: number
  readonly epmd: number
  readonly name: string
  readonly settings: Settings
  readonly config: string
}

export type Settings = Readonly<Record<string, number>>

const CONFIG = `loopback_users = none
vm_memory_high_watermark.absolute = 400MiB
disk_free_limit.absolute = 10MB
`

/** The port of the server that runs on this machine, or of one that is started; each is ended with `asyncDispose`. */
export async function anyRabbit(): Promise<AsyncDisposable & { readonly port: number; readonly url: string }> {
  const url = 'amqp://guest:guest@127.0.0.1:5672'
  const model = await tryToConnect(url)
  if (model === undefined) return await RabbitServer.start()
  await model.close()
  return { port: 5672, url, [Symbol.asyncDispose]: () => Promise.resolve() }
}

/**
 * A server for the tests of a suite: call it within `describe`, so that the server is gone before the file is looked at for
 * what it has left behind.
 */
export function forSuite<Server extends AsyncDisposable>(start: () => Promise<Server>): () => Server {
  let server: Server | undefined
  before(async () => {
    server = await start()
  })
  after(() => server?.[Symbol.asyncDispose]())
  return () => server as Server
}

/** The test's own look at a broker, past the adapter. */
export async function withChannel<T>(
  url: string,
  look: (channel: Awaited<ReturnType<ChannelModel['createConfirmChannel']>>) => Promise<T>,
): Promise<T> {
  const model = await amqplib.connect(url)
  try {
    const channel = await model.createConfirmChannel()
    channel.on('error', () => {})
    return await look(channel)
  } finally {
    await model.close()
  }
}

/**
 * A server that was killed before it listened may still be at its last writes, into the folder that is being removed, and
 * rmSync's own retries do not look for new files.
 */
async function remove(folder: string): Promise<void> {
  const deadline = performance.now() + GONE_MS
  for (;;) {
    try {
      return rmSync(folder, { recursive: true, force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function tryToConnect(url: string): Promise<ChannelModel | undefined> {
  try {
    return await amqplib.connect(url, { timeout: 5_000 })
  } catch {
    return undefined
  }
}

/**
 * Below those that the kernel gives to whoever connects: while a server is dead, somebody would be given its port, its clients
 * among them, which then connect to themselves, and it could not start again.
 */
const PORTS = { from: 15_000, count: 15_000 }

async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function untilFree(port: number): Promise<void> {
  const deadline = performance.now() + GONE_MS
  while (!(await isFree(port))) {
    if (performance.now() > deadline)
      throw new Error(`port ${port} of a killed RabbitMQ is not free after ${GONE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // A client of the dead server may find this one, which does not wait for it.
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
