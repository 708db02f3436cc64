import { parseArguments, numberOption, refuseBeside, words } from '../arguments.ts'
import type { Command } from '../command.ts'
import type { JobRecord } from '../../../lib/job.ts'
import { JournalReader, type ReadFilter, type StateCount } from '../../../runtime/cli-support.ts'
import { exitCodes } from '../exit-codes.ts'
import { filterOf, inboxNote, journalOption } from '../select-jobs.ts'
import { count, instant, table } from '../text.ts'

const HELP = `Usage: millrace jobs --journal FILE [OPTIONS]

Lists jobs, whether or not a service owns the journal now. Reads only.

Options
  --journal FILE   the journal
  --state STATES   only these: scheduled, available, running, succeeded, dead, cancelled, discarded, expired,
                   away
                   (several with commas between them)
  --task TASK      only jobs of this task
  --limit N        how many; default 50, at most 200
  --after PLACE    the page after; the end of a page says what to put here
  --counts         how many jobs each task has in each state, instead of the jobs; of all that match
  --json           one JSON object a line, with everything the journal knows

Running jobs come by id, available ones task by task in the order in which they run, scheduled ones by their time, ended
ones latest first. Jobs that publishers have left in the inbox while nobody owned the journal are counted on standard error.

Exit codes
  0  ok, also when no job matches
  2  wrong usage
  3  the journal cannot be read

Examples
  millrace jobs --journal data/jobs.db --state dead --task photo.thumbnail
  millrace jobs --journal data/jobs.db --counts`

export const jobs: Command = {
  name: 'jobs',
  summary: 'lists jobs by state and task',
  help: HELP,
  async run(args, { out, err }) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: {
        journal: { type: 'string' },
        state: { type: 'string' },
        task: { type: 'string' },
        limit: { type: 'string' },
        after: { type: 'string' },
        counts: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    words(positionals, [])
    if (values.counts) refuseBeside('--counts, which has no pages', values, ['limit', 'after'])
    const filter = filterOf(values.state, values.task)
    const reader = new JournalReader(journalOption(values.journal))
    try {
      const note = values.after === undefined ? inboxNote(reader, filter) : undefined
      if (note !== undefined) err(note)
      if (values.counts) {
        const counts = countsOf(reader, filter)
        if (values.json) for (const each of counts) out(JSON.stringify(each))
        else out(countsText(counts))
        return exitCodes.ok
      }
      const page = reader.page(filter, numberOption('limit', values.limit ?? '50', 1, 200), values.after)
      if (values.json) for (const job of page.jobs) out(JSON.stringify(job))
      else out(jobsText(page.jobs))
      if (page.next !== undefined) err(`more: --after '${page.next}'`)
      return exitCodes.ok
    } finally {
      reader.close()
    }
  },
}

function jobsText(records: readonly JobRecord[]): string {
  if (records.length === 0) return 'no jobs'
  const rows = records.map((job) => [
    job.id,
    job.task,
    job.state,
    String(job.attempts),
    instant(job.endedAt ?? job.dueAt ?? job.createdAt),
    job.key ?? '',
    job.history.at(-1)?.error?.message.slice(0, 60).replaceAll('\n', ' ') ?? '',
  ])
  return table([['ID', 'TASK', 'STATE', 'ATTEMPTS', 'ENDED, DUE OR CREATED', 'KEY', 'LAST ERROR'], ...rows])
}

function countsOf(reader: JournalReader, { states, tasks }: ReadFilter): StateCount[] {
  return reader.counts().filter(({ task, state }) => states.includes(state) && tasks?.includes(task) !== false)
}

function countsText(counts: readonly StateCount[]): string {
  if (counts.length === 0) return 'no jobs'
  return table([['TASK', 'STATE', 'JOBS'], ...counts.map((each) => [each.task, each.state, count(each.jobs)])])
}
