import { MillraceError } from '../../../lib/errors.ts'
import { numberOption, parseArguments, words } from '../arguments.ts'
import { BROKER_HELP, BROKER_OPTIONS, brokerOf } from '../broker-options.ts'
import type { Command } from '../command.ts'
import { sizesOf, workerPlaces } from '../worker/places.ts'
import { work } from '../worker/session.ts'
import { allBackoffs } from '../run/module-backoffs.ts'
import { importTasks, type TasksModule } from '../run/tasks-module.ts'

const HELP = `Usage: millrace worker --tasks FILE --broker URL [OPTIONS]

Runs a node that takes jobs from a broker and enqueues none itself: a worker without code of its own. What happens is
told in lines on standard error.

Options
  --tasks FILE          a tasks module: a JavaScript file that exports tasks; again for each
${BROKER_HELP}
  --journal FILE        the journal of this node, which has its name and what its handlers enqueue; one for each node.
                        Default worker.jobs.db
  --tier NAME=THREADS   worker threads of a tier; again for each. Default: as many as the machine has cores for default,
                        1 for fast and for every other tier that a task names. Where a task names none, also one of
                        a ladder of the senders
  --lane NAME=JOBS      jobs at once of a lane; again for each. Default 1,000. A lane has a thread of its own here
  --grace-ms MS         what running jobs get to end at a stop; default 10,000

Ctrl-C, SIGTERM and the verb drain take nothing more, give running jobs the grace, and put the rest back for other nodes.
A second Ctrl-C ends at once.

Exit codes
  0  drained
  2  wrong usage: a module that cannot be imported, a place that no task names, …
  3  the journal cannot be used
  4  the broker can never be used, as without its client package
  130, 143  ended at once by a second signal
  137  jobs hang in native calls when the grace is over: nothing but SIGKILL ends them

Examples
  millrace worker --tasks ./tasks.js --broker amqp://localhost --tier default=4 --lane network=200
  MILLRACE_BROKER=amqp://ada:secret@broker millrace worker --tasks ./tasks.js --journal /var/lib/feed/worker.db`

export const worker: Command = {
  name: 'worker',
  summary: 'takes jobs from a broker and runs them',
  help: HELP,
  async run(args, terminal) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: {
        ...BROKER_OPTIONS,
        tasks: { type: 'string', multiple: true },
        journal: { type: 'string', default: 'worker.jobs.db' },
        tier: { type: 'string', multiple: true },
        lane: { type: 'string', multiple: true },
        'grace-ms': { type: 'string', default: '10000' },
      },
    })
    words(positionals, [])
    if (values.tasks === undefined) {
      throw new MillraceError('MILLRACE_CLI', 'got no tasks, expected --tasks FILE; look at --help', {
        path: '--tasks',
      })
    }
    const broker = await brokerOf(values)
    const modules: TasksModule[] = []
    for (const path of values.tasks) modules.push(await importTasks(path))
    const sizes = {
      tiers: sizesOf('tier', values.tier ?? [], 512),
      lanes: sizesOf('lane', values.lane ?? [], 100_000),
    }
    return work(
      {
        tasks: modules.map(({ url }) => url),
        ...workerPlaces(
          modules.flatMap(({ tasks }) => tasks),
          sizes,
        ),
        backoffs: allBackoffs(modules),
        broker,
        role: 'worker',
        journal: { file: values.journal },
      },
      numberOption('grace-ms', values['grace-ms'], 0, 3_600_000),
      terminal,
    )
  },
}
