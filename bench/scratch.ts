import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for journals that is removed with all it holds at the end of the scope, or of the process. */
export class Scratch implements Disposable {
  readonly directory: string

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
    process.once('exit', this.#remove)
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#remove)
    this.#remove()
  }

  readonly #remove = (): void => rmSync(this.directory, { recursive: true, force: true })
}
