import { MillraceError } from '../../../lib/errors.ts'
import { fileError } from '../../../runtime/cli-support.ts'
import { Database, type Runtime } from '../../../runtime/index.ts'

/** How far a run has read its input, and what it has read. */
export interface Mark {
  readonly lines: number
  readonly sha256: string
}

/**
 * Remembers in the journal's own file what the journal is used for: which task, and which input up to which line. It is
 * written before the jobs of those lines, so that no line is ever enqueued that a later run could not check.
 */
export class RunMark {
  readonly #runtime: Runtime
  readonly #file: string
  readonly #db: Database
  #mark: Mark

  constructor(runtime: Runtime, file: string, task: string, hasJobs: 'yes' | 'no') {
    this.#runtime = runtime
    this.#file = file
    this.#db = new Database(file)
    try {
      this.#mark = this.#begin(file, task, hasJobs)
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  get lines(): number {
    return this.#mark.lines
  }

  get sha256(): string {
    return this.#mark.sha256
  }

  save(mark: Mark): void {
    try {
      this.#runtime.transaction(this.#db, () => {
        this.#db.prepare('UPDATE millrace_cli_run SET lines = ?, sha256 = ?').run(mark.lines, mark.sha256)
      })
    } catch (error) {
      throw fileError(error, this.#file)
    }
    this.#mark = mark
  }

  close(): void {
    this.#db.close()
  }

  #begin(file: string, task: string, hasJobs: 'yes' | 'no'): Mark {
    const known = this.#read()
    if (known !== undefined && known.task === task) return known
    if (known !== undefined || hasJobs === 'yes') throw usedOtherwise(file, task, known?.task)
    return this.#runtime.transaction(this.#db, () => {
      this.#db.exec(`
        CREATE TABLE millrace_cli_run (
          one INTEGER PRIMARY KEY CHECK (one = 1),
          task TEXT NOT NULL,
          lines INTEGER NOT NULL,
          sha256 TEXT NOT NULL
        ) STRICT`)
      this.#db.prepare("INSERT INTO millrace_cli_run VALUES (1, ?, 0, '')").run(task)
      return { lines: 0, sha256: '' }
    })
  }

  #read(): (Mark & { readonly task: string }) | undefined {
    const exists = this.#db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'millrace_cli_run'").get()
    if (exists === undefined) return undefined
    return this.#db.prepare<[], Mark & { task: string }>('SELECT task, lines, sha256 FROM millrace_cli_run').get()
  }
}

function usedOtherwise(file: string, task: string, other: string | undefined): MillraceError {
  const what = other === undefined ? 'the journal of a service' : `a run of ${other}`
  return new MillraceError(
    'MILLRACE_CLI',
    `${file} is used otherwise; got ${what}, expected a run of ${task} or no file; name another --journal`,
    { path: '--journal' },
  )
}
