import assert from 'node:assert/strict'
import type { Worker } from 'node:worker_threads'

/** How many of each kind are alive: what keeps the event loop going, and threads. */
export type Resources = ReadonlyMap<string, number>

let threads = 0

// Threads are not among the active resources that Node tells of.
process.on('worker', (worker: Worker) => {
  threads++
  worker.once('exit', () => threads--)
})

/** What is alive now. Threads that were started before this module was imported are not counted. */
export function resources(): Resources {
  const counts = new Map([['Worker', threads]])
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Fails unless within `withinMs` no more is alive of any kind than there was before. */
export async function assertNoLeak(before: Resources, withinMs = 1_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (leaked(before).length > 0 && performance.now() < deadline) {
    // What is being closed tells nobody when it is: looking again is all that can be done.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.deepEqual(leaked(before), [], `alive after ${withinMs} ms and not before`)
}

/** Notes what is alive, and when the test is over fails it unless that is all that is left. */
export function leakCheck(
  test: { after(check: () => Promise<void>): unknown },
  { withinMs = 1_000 }: { readonly withinMs?: number } = {},
): void {
  const before = resources()
  test.after(() => assertNoLeak(before, withinMs))
}

function leaked(before: Resources): string[] {
  return [...resources()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    return more > 0 ? [`${more} × ${kind}`] : []
  })
}
