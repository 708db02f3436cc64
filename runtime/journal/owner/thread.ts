import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { type Remote, wrap } from 'comlink'
import { nodeEndpoint } from '../comlink-node.ts'
import { type EarlyWorker, startJournalWorker } from './early-worker.ts'
import type { ConnectionListener, ConnectJournal, JournalConnection } from '../link.ts'
import type { JournalOptions } from '../open.ts'
import type { FromJournal, Group, ToJournal } from '../protocol.ts'
import type { JournalQueries } from '../queries/queries.ts'
import type { JournalThreadData } from '../thread-main.ts'
import { TURNSTILE_BYTES, Turnstile } from '../turnstile.ts'
import { unanswered } from './unanswered.ts'

/** Opens the journal on a thread of its own; the first time on `early`, which has been started already. */
export function journalThreads(early?: EarlyWorker): ConnectJournal {
  return (options, resume, listener) =>
    new JournalThread(early?.take() ?? startJournalWorker(), options, resume, listener)
}

export const startJournalThread = journalThreads()

/** The journal thread as its owner sees it: messages in, messages out, and queries that never outlive it. */
class JournalThread implements JournalConnection {
  readonly turnstile: Turnstile
  readonly exited: Promise<void>
  readonly #worker: Worker
  readonly #queries: Remote<JournalQueries>
  readonly #queryPort: MessagePort
  readonly #asking = new Set<(error: Error) => void>()
  #status: 'running' | 'exited' = 'running'
  #lastError = new Error('the journal thread exited')

  constructor(worker: Worker, options: JournalOptions, resume: number | undefined, listener: ConnectionListener) {
    const buffer = new SharedArrayBuffer(TURNSTILE_BYTES)
    const { port1, port2 } = new MessageChannel()
    const data: JournalThreadData = { options, resume, turnstile: buffer, queries: port2 }
    worker.postMessage(data, [port2])
    this.#worker = worker
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
        this.#status = 'exited'
        for (const reject of this.#asking) reject(unanswered())
        listener.exited(this.#lastError)
        resolve()
      })
    })
  }

  send(group: Group): void {
    const message: ToJournal = { type: 'group', group }
    this.#worker.postMessage(message)
  }

  close(): void {
    const message: ToJournal = { type: 'close' }
    this.#worker.postMessage(message)
  }

  /** Comlink alone would never settle when the thread ends first. */
  query<T>(ask: (queries: Remote<JournalQueries>) => Promise<T>): Promise<T> {
    if (this.#status === 'exited') return Promise.reject(unanswered())
    return new Promise<T>((resolve, reject) => {
      this.#asking.add(reject)
      ask(this.#queries)
        .then(resolve, reject)
        .finally(() => this.#asking.delete(reject))
    })
  }
}
