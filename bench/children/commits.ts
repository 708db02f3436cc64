/** A thread that commits one row for each message, and says so: what a journal's thread does, without a runtime. */
import { parentPort } from 'node:worker_threads'
import { Ceiling } from '../ceiling.ts'

const raw = new Ceiling()
parentPort?.on('message', (asked: unknown) => {
  if (asked === 'end') {
    raw[Symbol.dispose]()
    parentPort?.close()
    return
  }
  if (typeof asked === 'number') raw.inserts(asked)
  else raw.singleCommits(1)
  parentPort?.postMessage('committed')
})
