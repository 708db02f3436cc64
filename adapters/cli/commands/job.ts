import { parseArguments, words } from '../arguments.ts'
import type { Command } from '../command.ts'
import type { AttemptRecord, JobRecord } from '../../../lib/job.ts'
import { JournalReader } from '../../../runtime/cli-support.ts'
import { exitCodes } from '../exit-codes.ts'
import { jobOf, journalOption } from '../select-jobs.ts'
import { instant, table } from '../text.ts'

const HELP = `Usage: millrace job ID --journal FILE [--json]

Shows everything the journal knows of one job: its state, input, result, and how its attempts ended. Reads only.

Options
  --journal FILE   the journal
  --json           one JSON object

Exit codes
  0  ok
  1  the journal has no row of this job
  2  wrong usage
  3  the journal cannot be read

Example
  millrace job k3x9q2-1f --journal data/jobs.db`

export const job: Command = {
  name: 'job',
  summary: 'shows one job',
  help: HELP,
  async run(args, { out }) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: { journal: { type: 'string' }, json: { type: 'boolean', default: false } },
    })
    const [id = ''] = words(positionals, ['ID'])
    const reader = new JournalReader(journalOption(values.journal))
    try {
      const record = jobOf(reader, id)
      out(values.json ? JSON.stringify(record) : jobText(record))
      return exitCodes.ok
    } finally {
      reader.close()
    }
  },
}

function jobText(record: JobRecord): string {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['id', record.id],
    ['task', record.task],
    ['state', record.state],
    ['priority', String(record.priority)],
    ['attempts', String(record.attempts)],
    ['claims', String(record.claim)],
    ['crashes', String(record.crashes)],
    ['created', instant(record.createdAt)],
    ['due', instant(record.dueAt)],
    ['expires', instant(record.expiresAt)],
    ['ended', instant(record.endedAt)],
    ['key', record.key],
    ['metadata', Object.keys(record.metadata).length === 0 ? undefined : JSON.stringify(record.metadata)],
    ['input', JSON.stringify(record.input)],
    ['result', record.output === undefined ? undefined : JSON.stringify(record.output)],
  ]
  const given = facts.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]]))
  return [table(given), ...record.history.map(attemptText)].join('\n')
}

function attemptText({ attempt, claim, type, endedAt, error, reason, log }: AttemptRecord): string {
  const why = error === undefined ? reason : (error.stack ?? `${error.name}: ${error.message}`)
  const lines = (log ?? []).map((line) => `    ${JSON.stringify(line)}`)
  const head = `\nattempt ${attempt} (claim ${claim}) ${type} at ${instant(endedAt)}`
  return [head, ...(why === undefined ? [] : [indented(why)]), ...lines].join('\n')
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
