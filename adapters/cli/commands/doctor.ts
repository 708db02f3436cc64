import { parseArguments, refuseBeside, words } from '../arguments.ts'
import type { Command } from '../command.ts'
import {
  type Examination,
  examine,
  type Gap,
  salvage,
  type Salvaged,
  type TailLoss,
} from '../../../runtime/cli-support.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { journalOption } from '../select-jobs.ts'
import type { Terminal } from '../terminal.ts'
import { bytes, count, instant, plural, table } from '../text.ts'

const HELP = `Usage: millrace doctor --journal FILE [--full] [--json]
       millrace doctor --journal FILE --salvage NEW.db

Looks a journal over and changes nothing; its service may run meanwhile. Finds damaged pages, and commits that were
acknowledged and are gone: SQLite takes a damaged log for a shorter one and says that all is well.

With --salvage it reads what can be read of a damaged journal into a new one, and says what was lost of each table.
Tables of the service in the same file are copied unchanged. The damaged files stay as they are.

Options
  --journal FILE     the journal
  --full             compare every index with its table as well; slow for large journals
  --json             one JSON object
  --salvage NEW.db   the new journal; no service may own the damaged one

Exit codes
  0  the journal is whole; salvaged without loss
  1  damage was found; salvaged, and something was lost
  2  wrong usage; NEW.db is there already
  3  FILE is not there or no journal; with --salvage: it has an owner, or nothing at all can be read of it

Examples
  millrace doctor --journal data/jobs.db
  millrace doctor --journal data/jobs.db --salvage data/jobs-salvaged.db`

const LAST_ROWID = 2n ** 63n - 1n

/** A log this large is not moved into the file any more: somebody reads without end. */
const LARGE_LOG_BYTES = 256 * 1024 * 1024

export const doctor: Command = {
  name: 'doctor',
  summary: 'looks a journal over; salvages a damaged one',
  help: HELP,
  async run(args, terminal) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: {
        journal: { type: 'string' },
        full: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        salvage: { type: 'string' },
      },
    })
    words(positionals, [])
    const file = journalOption(values.journal)
    if (values.salvage !== undefined) {
      refuseBeside('--salvage', values, ['full', 'json'])
      return tellSalvaged(salvage(file, values.salvage), values.salvage, terminal)
    }
    const found = examine(file, values.full ? 'full' : 'quick')
    terminal.out(values.json ? JSON.stringify(found) : examinationText(found))
    return found.damage.length === 0 && found.lost === undefined ? exitCodes.ok : exitCodes.failed
  },
}

function examinationText(found: Examination): string {
  const { owner } = found
  const facts: readonly (readonly [string, string])[] = [
    ['file', `${found.file}, ${bytes(found.bytes)}`],
    ['log', `${bytes(found.logBytes)}${found.logBytes > LARGE_LOG_BYTES ? ': too large, look for a long reader' : ''}`],
    ['owner', owner === undefined ? 'none' : `process ${owner.pid} on ${owner.host} since ${instant(owner.since)}`],
    ...contentFacts(found),
    ['integrity', found.damage.length === 0 ? 'ok' : plural(found.damage.length, 'finding')],
  ]
  const counts = found.counts.map(({ task, state, jobs }) => [`  ${task}`, state, count(jobs)])
  return [
    table(facts),
    ...(counts.length === 0 ? [] : ['jobs', table(counts)]),
    ...found.damage.map((finding) => `damage: ${finding}`),
    ...adviceFor(found),
  ].join('\n')
}

/** Of a file that cannot be read nothing is known, least of all that its tail is complete. */
function contentFacts({ journal, lost, inboxRows, foreign }: Examination): readonly (readonly [string, string])[] {
  if (journal === undefined) return [['journal', 'cannot be read']]
  return [
    ['journal', `${journal.name}, version ${journal.version}`],
    ['commits', `${count(journal.commits)} by ${plural(journal.epoch, 'owner')}`],
    ['tail', lost === undefined ? 'complete' : tailText(lost)],
    ['inbox', plural(inboxRows, 'row')],
    ['other tables', foreign.join(', ') || 'none'],
  ]
}

function tailText({ got, expected }: TailLoss): string {
  return `lost: got commit ${got}, expected ${expected}`
}

function adviceFor({ damage, lost, file }: Examination): string[] {
  if (damage.length > 0) {
    return [`keep ${file} and ${file}-wal as they are, stop the service, run doctor with --salvage NEW.db`]
  }
  if (lost !== undefined) {
    return [
      'the latest commits are missing, and what is left is whole: jobs of that time are lost or run again; keep a copy ' +
        `of ${file} and ${file}-wal before a service opens it`,
    ]
  }
  return []
}

function tellSalvaged({ tables, notes, lost }: Salvaged, to: string, { out, err }: Terminal): ExitCode {
  const rows = tables.map(({ name, of, copied, gaps }) => [
    name,
    of,
    count(copied),
    gaps.map(gapText).join(', ') || 'none',
  ])
  out(table([['TABLE', 'OF', 'ROWS COPIED', 'ROW IDS LOST'], ...rows]))
  for (const note of notes) out(`note: ${note}`)
  if (lost !== undefined) out(`tail ${tailText(lost)}: the rows of the commits behind are in no file any more`)
  err(`salvaged into ${to}; give it to the service as its journal`)
  return lost === undefined && notes.length === 0 && tables.every(({ gaps }) => gaps.length === 0)
    ? exitCodes.ok
    : exitCodes.failed
}

/** Row ids are 64-bit integers; where the damage reaches to either end of them, the end says nothing. */
function gapText({ from, to }: Gap): string {
  if (to === LAST_ROWID) return from < 0n ? 'all' : `from ${from} on`
  return from < 0n ? `up to ${to}` : `${from} to ${to}`
}
