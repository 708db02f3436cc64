import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What becomes of bytes that come from one side. */
export type Passage = (chunk: Buffer, pass: (bytes: Buffer) => void) => void

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

const PASS: Passage = (chunk, pass) => pass(chunk)

/** A way to a port that a test can cut, slow down, let fall silent, or stop in the middle of a frame. */
export class TcpProxy implements AsyncDisposable {
  readonly #listener: Server
  readonly #pairs = new Set<Pair>()
  #target: number
  #passages: { toServer: Passage; toClient: Passage } = { toServer: PASS, toClient: PASS }
  #door: 'open' | 'shut' = 'open'

  private constructor(target: number) {
    this.#target = target
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#join(client))
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await new Promise<void>((resolve) => proxy.#listener.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** Resets every connection there is. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
  }

  /** From now on connections are reset as they come. */
  shut(): void {
    this.#door = 'shut'
    this.cut()
  }

  open(): void {
    this.#door = 'open'
  }

  /** From now on both directions wait for so long. */
  delay(ms: number): void {
    const late: Passage = (chunk, pass) => {
      setTimeout(() => pass(chunk), ms)
    }
    this.#passages = { toServer: late, toClient: late }
  }

  /** Nothing comes through any more, and nobody is told: as when a machine is gone. */
  silence(which: 'both' | 'toClient' | 'toServer' = 'both'): void {
    const nothing: Passage = () => {}
    if (which !== 'toClient') this.#passages.toServer = nothing
    if (which !== 'toServer') this.#passages.toClient = nothing
  }

  /** Lets so many bytes more through to the server, and then nothing: a frame stays half sent. */
  stopAfter(bytes: number): void {
    let left = bytes
    this.#passages.toServer = (chunk, pass) => {
      if (left > 0) pass(chunk.subarray(0, left))
      left -= chunk.length
    }
  }

  /** Puts something of the test's own between server and client. */
  filter(toClient: Passage): void {
    this.#passages.toClient = toClient
  }

  /** Everything comes through again; what was held back is lost. */
  heal(): void {
    this.#passages = { toServer: PASS, toClient: PASS }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve))
    this.cut()
    await closed
  }

  #join(client: Socket): void {
    // A reset is what is being tested.
    client.on('error', () => {})
    if (this.#door === 'shut') {
      client.resetAndDestroy()
      return
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const pair = { client, server }
    this.#pairs.add(pair)
    client.setNoDelay(true)
    server.on('error', () => client.destroy())
    client.on('data', (chunk) => this.#passages.toServer(chunk, (bytes) => server.write(bytes)))
    server.on('data', (chunk) => this.#passages.toClient(chunk, (bytes) => client.write(bytes)))
    client.on('end', () => server.end())
    server.on('end', () => client.end())
    const end = () => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    client.on('close', end)
    server.on('close', end)
  }
}
