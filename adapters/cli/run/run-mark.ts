import { MillraceError } from '../../../lib/errors.ts'
import { fileError } from '../../../runtime/cli-support.ts'
import { Database, type Runtime } from '../../../runtime/index.ts'
import { type KeyForm, keyOfLine } from './line-keys.ts'

/** How far a run has read its input, and what it has read. */
export interface Mark {
  readonly lines: number
  readonly sha256: string
}

interface Known extends Mark {
  readonly task: string
  /** `undefined` in a table that has no such column, as earlier versions made it. */
  readonly output?: string | null
  /** How the key of a line's job looks; `undefined` as above. */
  readonly keys?: string
}

/**
 * Remembers in the journal's own file what the journal is used for: which task, which output, and which input up to which
 * line. It is written before the jobs of those lines, so that no line is ever enqueued that a later run could not check.
 */
export class RunMark {
  readonly #runtime: Runtime
  readonly #file: string
  readonly #db: Database
  /** How the keys of what is in the journal look. */
  readonly keys: KeyForm
  #mark: Mark
  #output: string | undefined

  constructor(runtime: Runtime, file: string, task: string, hasJobs: 'yes' | 'no') {
    this.#runtime = runtime
    this.#file = file
    this.#db = new Database(file)
    try {
      const { lines, sha256, output, keys } = this.#begin(task, hasJobs)
      this.#mark = { lines, sha256 }
      this.keys = keys === undefined ? 'older' : 'own'
      this.#output = output ?? undefined
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

  /** Where the outcomes were kept before, as it was given to `keepOutput`. */
  get output(): string | undefined {
    return this.#output
  }

  save(mark: Mark): void {
    this.#write(() => {
      this.#db.prepare('UPDATE millrace_cli_run SET lines = ?, sha256 = ?').run(mark.lines, mark.sha256)
    })
    this.#mark = mark
  }

  keepOutput(output: string): void {
    if (output === this.#output) return
    this.#write(() => {
      this.#db.prepare('UPDATE millrace_cli_run SET output = ?').run(output)
    })
    this.#output = output
  }

  close(): void {
    this.#db.close()
  }

  #begin(task: string, hasJobs: 'yes' | 'no'): Known {
    const known = this.#read()
    if (known === undefined ? hasJobs === 'yes' : known.task !== task) {
      throw usedOtherwise(this.#file, task, known?.task)
    }
    if (known === undefined) return this.#create(task)
    if (known.output === undefined) {
      this.#write(() => {
        this.#db.exec('ALTER TABLE millrace_cli_run ADD COLUMN output TEXT')
      })
    }
    return known
  }

  #create(task: string): Known {
    const keys = keyOfLine(0)
    this.#write(() => {
      this.#db.exec(`
        CREATE TABLE millrace_cli_run (
          one INTEGER PRIMARY KEY CHECK (one = 1),
          task TEXT NOT NULL,
          lines INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          output TEXT,
          keys TEXT NOT NULL
        ) STRICT`)
      this.#db.prepare("INSERT INTO millrace_cli_run VALUES (1, ?, 0, '', NULL, ?)").run(task, keys)
    })
    return { task, lines: 0, sha256: '', keys }
  }

  #read(): Known | undefined {
    const exists = this.#db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'millrace_cli_run'").get()
    if (exists === undefined) return undefined
    return this.#db.prepare<[], Known>('SELECT * FROM millrace_cli_run').get()
  }

  #write(work: () => void): void {
    try {
      this.#runtime.transaction(this.#db, work)
    } catch (error) {
      throw fileError(error, this.#file)
    }
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
