import { MillraceError } from '../../../lib/errors.ts'
import { numberOption, parseArguments, words } from '../arguments.ts'
import type { Command } from '../command.ts'
import { outputBeside } from '../run/paths.ts'
import { runLines } from '../run/session.ts'
import { reserveStandardOutput } from '../terminal.ts'

const HELP = `Usage: millrace run MODULE TASK [OPTIONS]

Makes a job of every line of the input and a line of every outcome. Running the same command again on the same
journal goes on where it stopped, also after kill -9; the finished output holds each line of the input once.

  MODULE                the tasks module: a JavaScript file that exports tasks
  TASK                  the name of one of them

Options
  --input FILE|-        one JSON value a line; default -, standard input. Empty lines are left out
  --output FILE|-       one outcome a line, in the order they come; default -: all of them to standard output once
                        the run is complete, and what handlers print to standard error
  --journal FILE        where the state of the run is kept; default TASK.jobs.db
  --threads N           threads of the task's tier; default: as many as the machine has cores. Other tiers have one
  --concurrency N       jobs at once, for a task on a lane; default 1,000
  --attempts N          how often a job is tried; default: as its task says
  --grace-ms MS         what running jobs get to end after Ctrl-C, and native calls past their hard limit when
                        nothing else is left; default 10,000
  --quiet               no progress

Output
  {"line":1,"state":"succeeded","result":…}
  {"line":2,"state":"dead","error":{"code":…,"name":…,"message":…},"attempts":5}
  {"line":3,"state":"refused","error":…,"attempts":0}      the line is no JSON or does not fit the task's schema

Ctrl-C starts nothing more, gives running jobs the grace, and says how to go on; a second one ends at once.

Exit codes
  0  every line succeeded
  1  every line has an outcome, some without success; or jobs that they have enqueued failed or were not handled
  2  wrong usage: another input, output or task than the journal's, a module that cannot be imported, …
  3  the journal cannot be used
  5  it stopped before its end, and lines may have no outcome yet: a place has given up, or native calls ran past
     their hard limit; run the same command again
  130, 143  interrupted by SIGINT, SIGTERM; 143 also instead of 5 where native calls still hang; run it again

Examples
  millrace run ./tasks.js photo.thumbnail --input photos.ndjson --output thumbnails.ndjson --threads 4
  find . -name '*.jpg' | jq -R '{file: .}' -c | millrace run ./tasks.js photo.thumbnail > thumbnails.ndjson`

export const run: Command = {
  name: 'run',
  summary: 'makes a job of every line of a file, and a line of every outcome',
  help: HELP,
  run(args, terminal) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: {
        input: { type: 'string', default: '-' },
        output: { type: 'string', default: '-' },
        journal: { type: 'string' },
        threads: { type: 'string' },
        concurrency: { type: 'string' },
        attempts: { type: 'string' },
        'grace-ms': { type: 'string', default: '10000' },
        quiet: { type: 'boolean', default: false },
      },
    })
    const [module = '', task = ''] = words(positionals, ['MODULE', 'TASK'])
    if (values.input === '-' && process.stdin.isTTY) {
      throw new MillraceError('MILLRACE_CLI', 'got no input, expected --input FILE or a pipe; look at --help')
    }
    const journal = values.journal ?? `${task}.jobs.db`
    return runLines(
      {
        module,
        task,
        input: values.input,
        output: values.output === '-' ? outputBeside(journal) : values.output,
        print: values.output === '-' ? reserveStandardOutput() : undefined,
        journal,
        size: {
          ...(values.threads !== undefined && { threads: numberOption('threads', values.threads, 1, 512) }),
          ...(values.concurrency !== undefined && {
            concurrency: numberOption('concurrency', values.concurrency, 1, 100_000),
          }),
        },
        attempts: values.attempts === undefined ? undefined : numberOption('attempts', values.attempts, 1, 1_000),
        graceMs: numberOption('grace-ms', values['grace-ms'], 0, 3_600_000),
        progress: values.quiet ? 'quiet' : 'shown',
      },
      terminal,
    )
  },
}
