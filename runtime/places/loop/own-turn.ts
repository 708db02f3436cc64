import { MessageChannel, type MessagePort } from 'node:worker_threads'

/**
 * Calls back in a turn of the loop in which nothing else runs, so that unwinding it takes nothing with it: a microtask
 * would take all promises that are due, and an immediate the process (docs/decisions/006-verdicts.md).
 */
export class OwnTurn {
  #from: MessagePort
  #to: MessagePort
  #next: (() => void)[] = []

  constructor() {
    ;[this.#from, this.#to] = this.#open()
  }

  next(run: () => void): void {
    this.#next.push(run)
    this.#from.postMessage(null)
  }

  /** After a turn was unwound: what its code had set for its own asynchronous context would stay with this port. */
  renew(): void {
    this.close()
    ;[this.#from, this.#to] = this.#open()
    for (const _ of this.#next) this.#from.postMessage(null)
  }

  close(): void {
    this.#to.close()
  }

  #open(): [MessagePort, MessagePort] {
    const { port1, port2 } = new MessageChannel()
    port2.on('message', () => this.#next.shift()?.())
    port1.unref()
    port2.unref()
    return [port1, port2]
  }
}
