import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const EXIT_MS = 15_000
/** Of what it wrote to stderr the end is kept, to say why it has died. */
const ERROR_CHARACTERS = 4_000

/** A process that is asked in lines and answers in lines. It ends when its input does, so it never outlives the bench. */
export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #exited: Promise<unknown>
  #asking: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void } | undefined
  #errors = ''
  #ended: Error | undefined

  private constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env } })
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#came(line))
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-ERROR_CHARACTERS)
    })
    // What cannot be written any more is told by its exit.
    this.#child.stdin?.on('error', () => {})
    this.#exited = new Promise<void>((resolve) => {
      const ended = (how: unknown) => {
        this.#ended ??= new Error(`${[command, ...args].join(' ')} ended with ${String(how)}: ${this.#errors}`)
        this.#asking?.reject(this.#ended)
        resolve()
      }
      this.#child.once('error', (error) => ended(error.message))
      this.#child.once('close', (code, signal) => ended(signal ?? code))
    })
  }

  /** Resolves when it has said its first line. */
  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<LineProcess> {
    const started = new LineProcess(command, args, env)
    await started.#line()
    return started
  }

  ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`)
    return this.#line()
  }

  /** Resolves when it is gone, at the latest when it was killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), EXIT_MS)
    await this.#exited
    clearTimeout(kill)
  }

  #came(line: string): void {
    const asking = this.#asking
    this.#asking = undefined
    if (asking === undefined) this.#lines.push(line)
    else asking.resolve(line)
  }

  #line(): Promise<string> {
    const line = this.#lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#asking = { resolve, reject }
    })
  }
}
