import { parseArguments, words } from '../arguments.ts'
import type { Command } from '../command.ts'
import { backup as copy } from '../../../runtime/cli-support.ts'
import { exitCodes } from '../exit-codes.ts'
import { journalOption } from '../select-jobs.ts'

const HELP = `Usage: millrace backup NEW.db --journal FILE [--quiet]

Copies a journal as of one moment, while a service goes on using it; tables of the service in the same file are copied
as well. The copy has the rights 0600, appears when it is whole, and never overwrites a file.

To go back to it: stop the service, move the journal and its files beside it (FILE-wal, FILE-shm, FILE.mark, FILE.starts,
FILE.lock, FILE.reserve) away, copy the backup to FILE. An old FILE.mark that is left would tell of a lost tail. Jobs
that ended since then run again: they are in the copy.

Options
  --journal FILE   the journal
  --quiet          no progress

Exit codes
  0  the copy is there, and was checked
  2  wrong usage; NEW.db is there already
  3  FILE is no journal, cannot be read, or is damaged

Example
  millrace backup /backup/jobs-monday.db --journal data/jobs.db`

export const backup: Command = {
  name: 'backup',
  summary: 'copies a journal while it is in use',
  help: HELP,
  async run(args, terminal) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: { journal: { type: 'string' }, quiet: { type: 'boolean', default: false } },
    })
    const [to = ''] = words(positionals, ['NEW.db'])
    const shown = terminal.isInteractive && !values.quiet
    await copy(journalOption(values.journal), to, ({ pages, total }) => {
      if (shown && total > 0) process.stderr.write(`\r${Math.floor((pages / total) * 100)} %\x1b[K`)
    })
    if (shown) process.stderr.write('\r\x1b[K')
    if (!values.quiet) terminal.err(`the copy is ${to}`)
    return exitCodes.ok
  },
}
