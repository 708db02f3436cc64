import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { type Remote, releaseProxy, wrap } from 'comlink'
import { MillraceError } from '../../lib/errors.ts'
import { siblingUrl } from '../sibling-url.ts'
import { nodeEndpoint } from './comlink-node.ts'
import type { JournalLink } from './link.ts'
import type { JournalOptions } from './open.ts'
import type { FromJournal, Group, ToJournal } from './protocol.ts'
import type { JournalQueries } from './queries.ts'
import type { JournalThreadData } from './thread-main.ts'
import { TURNSTILE_BYTES, Turnstile } from './turnstile.ts'

export interface JournalThreadListener {
  received(message: FromJournal): void
  /** The thread is gone; whatever was not answered has an unknown outcome. */
  exited(error: Error): void
}

/** The journal thread as its owner sees it: messages in, messages out, and queries that never outlive it. */
export class JournalThread implements JournalLink {
  readonly turnstile: Turnstile
  readonly exited: Promise<void>
  readonly #worker: Worker
  readonly #queries: Remote<JournalQueries>
  readonly #queryPort: MessagePort
  #lastError = new Error('the journal thread exited')

  constructor(options: JournalOptions, resume: number | undefined, listener: JournalThreadListener) {
    const buffer = new SharedArrayBuffer(TURNSTILE_BYTES)
    const { port1, port2 } = new MessageChannel()
    const workerData: JournalThreadData = { options, resume, turnstile: buffer, queries: port2 }
    this.#worker = new Worker(siblingUrl('./thread-main', import.meta.url), {
      name: 'millrace-journal',
      workerData,
      transferList: [port2],
    })
    this.turnstile = new Turnstile(buffer)
    this.#queryPort = port1
    this.#queries = wrap<JournalQueries>(nodeEndpoint(port1))
    this.#worker.on('message', (message: FromJournal) => listener.received(message))
    this.#worker.on('error', (error: Error) => {
      this.#lastError = error
    })
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#queryPort.close()
        listener.exited(this.#lastError)
        resolve()
      })
    })
  }

  send(group: Group): void {
    const message: ToJournal = { type: 'group', group }
    this.#worker.postMessage(message)
  }

  /** Asks the thread to close its files and end, after everything that was sent before. */
  close(): void {
    const message: ToJournal = { type: 'close' }
    this.#worker.postMessage(message)
  }

  /** Runs a query, or rejects when the thread ends first (comlink alone would never settle). */
  async query<T>(ask: (queries: Remote<JournalQueries>) => Promise<T>): Promise<T> {
    const gone = this.exited.then(() => {
      throw new MillraceError(
        'MILLRACE_JOURNAL_IO',
        'the journal thread ended before it answered a query; nothing was changed by it; ask again',
      )
    })
    return Promise.race([ask(this.#queries), gone])
  }

  async terminate(): Promise<void> {
    this.#queries[releaseProxy]()
    await this.#worker.terminate()
  }
}
