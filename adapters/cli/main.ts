#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { MillraceError, nearest } from '../../lib/errors.ts'
import type { Command } from './command.ts'
import { backup } from './commands/backup.ts'
import { cancel } from './commands/cancel.ts'
import { doctor } from './commands/doctor.ts'
import { job } from './commands/job.ts'
import { jobs } from './commands/jobs.ts'
import { nodes } from './commands/nodes.ts'
import { retry } from './commands/retry.ts'
import { run } from './commands/run.ts'
import { worker } from './commands/worker.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'
import { reportError } from './report-error.ts'
import { table } from './text.ts'
import { terminal } from './terminal.ts'

const commands: readonly Command[] = [run, jobs, job, retry, cancel, doctor, backup, worker, nodes]

const HELP = `Usage: millrace COMMAND [OPTIONS]

Durable background jobs inside one Node service, from the command line.

Commands
${table(commands.map(({ name, summary }) => [`  ${name}`, summary]))}

Options of every command
  --help       what the command does, its options and exit codes
  --verbose    errors with their stack and causes
  --version    the version of millrace

Exit codes
  0  ok
  1  something did not go well: jobs failed, a job was not found, damage was found
  2  wrong usage
  3  the journal cannot be used
  4  the broker cannot be used
  5  a run stopped before its end: lines may have no outcome yet
  70 an error of millrace itself
  130, 143  interrupted by SIGINT, SIGTERM
  137  jobs of a worker hang in native calls`

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await dispatch(args.filter((arg) => arg !== '--verbose'))
  } catch (error) {
    reportError(error, terminal.detail, terminal)
    return exitCodeOf(error)
  }
}

async function dispatch([name, ...rest]: readonly string[]): Promise<ExitCode> {
  if (name === '--version') return say(version())
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const [about] = rest
    if (about !== undefined && commandOf(about) === undefined) throw unknown(about)
    say(commandOf(about)?.help ?? HELP)
    return name === undefined ? exitCodes.usage : exitCodes.ok
  }
  const command = commandOf(name)
  if (command === undefined) throw unknown(name)
  if (rest.includes('--help') || rest.includes('-h')) return say(command.help)
  if (rest.includes('--version')) return say(version())
  return command.run(rest, terminal)
}

function commandOf(name: string | undefined): Command | undefined {
  return commands.find((command) => command.name === name)
}

function say(text: string): ExitCode {
  terminal.out(text)
  return exitCodes.ok
}

function unknown(name: string): MillraceError {
  const names = commands.map((command) => command.name)
  const near = nearest(name, names)
  return new MillraceError(
    'MILLRACE_CLI',
    `there is no command ${JSON.stringify(name)}; expected one of ${names.join(', ')}; ` +
      (near === undefined ? 'look at millrace --help' : `did you mean ${near}?`),
  )
}

function version(): string {
  const file = new URL('../../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function endUnwritten(error: NodeJS.ErrnoException): never {
  // Who reads our answers may have had enough of them, as `head` does.
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
  const unwritten = new MillraceError(
    'MILLRACE_CLI',
    `the answer cannot be written to standard output; got ${error.message}, expected room for all of it; make room, or ` +
      'write it elsewhere, and say this again',
    { cause: error },
  )
  reportError(unwritten, terminal.detail, terminal)
  process.exit(exitCodes.usage)
}

process.stdout.on('error', endUnwritten)
// Nobody listens any more: that is no reason to end what is under way.
process.stderr.on('error', () => undefined)
process.on('uncaughtException', (error) => {
  reportError(error, 'verbose', terminal)
  process.exit(exitCodeOf(error))
})

// `run` gives standard output's method away.
const write = process.stdout.write.bind(process.stdout)
const exitCode = await main(process.argv.slice(2))
// A tasks module may have left something open that would keep the process alive.
write('', (error: NodeJS.ErrnoException | null | undefined) => {
  // An answer that could not be written is told here before it is an event.
  if (error && error.code !== 'EPIPE') endUnwritten(error)
  process.exit(exitCode)
})
