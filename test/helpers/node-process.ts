import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const LINE_MS = 60_000

export interface NodeProcess {
  readonly child: ChildProcess
  /**
   * Resolves to the first line of its output that begins so and was not asked for before; what else it says may come in
   * any order. Rejects when it has ended without it, or says nothing of the kind for a minute.
   */
  line(start: string): Promise<string>
  /** How it ended, and what it wrote to stderr. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null; readonly errors: string }>
}

/** A process of its own that runs a built module; it is killed when the test is over, if it still lives. */
export function startNode(
  test: { after(clean: () => unknown): unknown },
  module: URL,
  ...args: readonly string[]
): NodeProcess {
  const child = spawn(process.execPath, [fileURLToPath(module), ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  const lines: string[] = []
  let errors = ''
  let look: () => void = () => {}
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(text)
    look()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const exited = new Promise<Awaited<NodeProcess['exited']>>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, errors }))
  })
  test.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const line = (start: string) =>
    new Promise<string>((resolve, reject) => {
      look = () => {
        const at = lines.findIndex((text) => text.startsWith(start))
        if (at < 0) return
        // What comes next is for the next who asks.
        look = () => {}
        resolve(lines.splice(at, 1)[0] as string)
      }
      look()
      void exited.then(() => reject(new Error(`it ended without '${start}': ${errors}`)))
      const heard = () => `it said ${JSON.stringify(lines)}; ${errors}`
      setTimeout(() => reject(new Error(`no '${start}' within ${LINE_MS} ms: ${heard()}`)), LINE_MS).unref()
    })
  return { child, line, exited }
}
