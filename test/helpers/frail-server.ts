import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FrailServerOptions {
  readonly requestsPerSecond: number
  /** With more than so many unanswered requests it is as many times slower. */
  readonly overload: { readonly requests: number; readonly slower: number }
}

/**
 * A dependency of limited capacity: it works off requests one by one, also those that nobody waits for any more, and the
 * more slowly where too many have gathered. Its pace does not depend on how busy the machine is.
 */
export class FrailServer {
  readonly #options: FrailServerOptions
  readonly #server: Server
  readonly #queue: ServerResponse[] = []
  /** When answers came that somebody still waited for, in ms of `performance.now`. */
  readonly answered: number[] = []
  #status: 'up' | 'frozen' = 'up'
  #freeAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: FrailServerOptions) {
    this.#options = options
    this.#server = createServer((_request, response) => {
      this.#queue.push(response)
      if (this.#queue.length === 1) this.#freeAt = Math.max(this.#freeAt, performance.now()) + this.#costMs
      this.#plan()
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes requests and answers none. */
  freeze(): void {
    this.#status = 'frozen'
  }

  thaw(): void {
    this.#status = 'up'
    this.#freeAt = performance.now()
    this.#plan()
  }

  get unanswered(): number {
    return this.#queue.length
  }

  /** Answers a second that somebody waited for, between two instants. */
  goodput(from: number, to: number): number {
    return (this.answered.filter((at) => at >= from && at < to).length / (to - from)) * 1_000
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get #costMs(): number {
    const { requestsPerSecond, overload } = this.#options
    return (1_000 / requestsPerSecond) * (this.#queue.length > overload.requests ? overload.slower : 1)
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#status === 'frozen' || this.#queue.length === 0) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#answerDue()
        this.#plan()
      },
      Math.max(0, this.#freeAt - performance.now()),
    )
  }

  #answerDue(): void {
    while (this.#status === 'up' && this.#queue.length > 0 && this.#freeAt <= performance.now()) {
      const response = this.#queue.shift() as ServerResponse
      if (!response.destroyed && response.socket?.destroyed === false) this.answered.push(performance.now())
      response.end('ok')
      this.#freeAt += this.#costMs
    }
  }
}
