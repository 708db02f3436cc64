import { closeSync, openSync, writeSync } from 'node:fs'
import type { AroundHook } from 'millrace'
import { lineOf, type Note } from './diary.ts'
import { fromEnvironment, paths } from './settings.ts'

// Hooks alone: whatever the other modules handle is noted down.

const { folder, node } = fromEnvironment()
let file: number

export function setup(): void {
  if (node === undefined) throw new Error('a diary is kept by the workers on a broker')
  file = openSync(paths.diary(folder, node.name), 'a')
}

export function teardown(): void {
  closeSync(file)
}

export const around: AroundHook = async ({ task, jobId }, next) => {
  const note = (what: Note['what']) => writeSync(file, lineOf({ at: Date.now(), what, task, job: jobId }))
  note('begins')
  try {
    const result = await next()
    note('succeeds')
    return result
  } catch (error) {
    note('fails')
    throw error
  }
}
