import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface NodeProcess {
  readonly child: ChildProcess
  /** Resolves to the next line of its output that begins so, from the first one on; rejects when it has ended before. */
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
        if (at >= 0) resolve(lines.splice(0, at + 1).at(-1) as string)
      }
      look()
      void exited.then(() => reject(new Error(`it ended without '${start}': ${errors}`)))
    })
  return { child, line, exited }
}
