import { type ChildProcess, fork } from 'node:child_process'
import { siblingUrl } from '../../sibling-url.ts'

/** Starts a process of a place, in a group of its own: a signal to the group ends what its handlers have started as well. */
export function startProcess(place: string, heapMb: number | undefined): ChildProcess {
  return fork(siblingUrl('./process-main', import.meta.url), [place], {
    detached: true,
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    execArgv: [
      ...inheritedFlags(process.execArgv),
      ...(heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
    ],
    env: inheritedEnvironment(process.env),
  })
}

/** What belongs to the service alone: a debugger's port, the program itself, how it is tested or watched. */
const OF_THE_SERVICE =
  /^(?:--inspect|--debug-port|--test|--experimental-test|--watch|--eval|-e$|--print|-p$|-pe$|--check|-c$|--interactive|-i$)/

/** Node's flags as the service was started with, which its modules may need; a flag's value follows its flag. */
export function inheritedFlags(flags: readonly string[]): string[] {
  let keeps = true
  return flags.filter((flag) => {
    if (flag.startsWith('-')) keeps = !OF_THE_SERVICE.test(flag)
    return keeps
  })
}

export function inheritedEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, ...rest } = environment
  // Node's test runner would take it for a test file of its own.
  delete rest['NODE_TEST_CONTEXT']
  if (NODE_OPTIONS === undefined) return rest
  return { ...rest, NODE_OPTIONS: NODE_OPTIONS.replace(/(^|\s)--inspect\S*(?:\s+[^\s-]\S*)?/g, '$1').trim() }
}
