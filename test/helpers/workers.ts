import type { Worker } from 'node:worker_threads'

const started: Worker[] = []

// Nobody else has a handle on the threads of a runtime.
process.on('worker', (worker: Worker) => {
  started.push(worker)
})

/** Threads that were started since, in their order: of a runtime the journal's is the first. */
export function workersSince(mark: number): readonly Worker[] {
  return started.slice(mark)
}

export function markWorkers(): number {
  return started.length
}
