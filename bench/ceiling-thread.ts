import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { siblingUrl } from '../runtime/sibling-url.ts'
import { PAYLOAD } from './payload.ts'

/** SQLite alone on a thread of its own: its file and its waits for the disk are off the loop of who asks. */
export class CeilingThread implements AsyncDisposable {
  readonly #worker = new Worker(siblingUrl('./children/commits', import.meta.url))
  #committed: () => void = () => {}

  constructor() {
    this.#worker.on('message', () => this.#committed())
  }

  /** Asks for one commit after another, of a single row each; resolves to commits per second. */
  async singleCommits(commits: number): Promise<number> {
    const startedAt = performance.now()
    for (let asked = 0; asked < commits; asked++) await this.#ask({ input: PAYLOAD })
    return (commits / (performance.now() - startedAt)) * 1_000
  }

  /** As many rows in few commits. */
  async inserts(rows: number): Promise<void> {
    await this.#ask(rows)
  }

  #ask(message: { readonly input: string } | number): Promise<void> {
    return new Promise((resolve) => {
      this.#committed = resolve
      this.#worker.postMessage(message)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.postMessage('end')
    await once(this.#worker, 'exit')
  }
}
