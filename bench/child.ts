import { fork } from 'node:child_process'
import { siblingUrl } from '../runtime/sibling-url.ts'

/** Runs a module of `bench/children` in a process of its own and returns what it has sent; the signal ends it. */
export function inChild<Result>(name: string, args: readonly string[], signal?: AbortSignal): Promise<Result> {
  const child = fork(siblingUrl(`./children/${name}`, import.meta.url), args, {
    ...(signal !== undefined && { signal }),
  })
  return new Promise((resolve, reject) => {
    let result: { readonly value: Result } | undefined
    child.on('message', (value) => {
      result = { value: value as Result }
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(result.value)
      else reject(new Error(`the child ${name} ended with ${signal ?? code} and ${result ? 'a' : 'no'} result`))
    })
  })
}

/** In the child: hands over the result and lets the process end by itself. */
export function answerParent(value: unknown): void {
  process.send?.(value, undefined, undefined, () => process.disconnect())
}
