import { readdirSync, readFileSync } from 'node:fs'
import type { Runtime, RuntimeOptions, TierConfig } from '../../runtime/index.ts'
import { startRuntime } from './start-runtime.ts'

export const processTasks = new URL('../fixtures/process-tasks.js', import.meta.url)

/** A runtime with one tier of processes, `heavy`, beside a thread. */
export function startProcessTier(
  test: { after(clean: () => unknown): unknown },
  heavy: TierConfig = {},
  options: Partial<RuntimeOptions> = {},
): Promise<Runtime> {
  return startRuntime(test, {
    tasks: processTasks,
    tiers: { default: { threads: 1 }, heavy: { processes: 1, ...heavy } },
    lanes: {},
    ...options,
  })
}

/** Whether there is such a process; one that has ended and that nobody has waited for is none. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Processes whose command line is this. */
export function processesOf(command: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isAlive(Number(name)) && commandOf(name) === command)
    .map(Number)
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}

export async function gone(pid: number, withinMs = 5_000): Promise<boolean> {
  const endsAt = performance.now() + withinMs
  // A process that is no child of ours tells nobody when it ends.
  while (isAlive(pid) && performance.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 10))
  return !isAlive(pid)
}
