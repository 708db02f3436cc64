import { MillraceError } from '../../lib/errors.ts'
import type { JobState } from '../../lib/job-state.ts'
import type { JobRecord } from '../../lib/job.ts'
import { carryOut, JournalReader, takeOver, type Wish } from '../../runtime/cli-support.ts'
import { parseArguments, refuseBeside } from './arguments.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportError } from './report-error.ts'
import { allJobs, filterOf, jobOf, journalOption } from './select-jobs.ts'
import type { Terminal } from './terminal.ts'
import { plural } from './text.ts'

/** As much of a job as tells what became of it. */
export type Seen = Pick<JobRecord, 'id' | 'state' | 'claim'>

/** A command that wants something of jobs: what, and how it tells what came of it. */
export interface WishKind {
  readonly verb: Wish['verb']
  /** 'cancelled', for the end of a sentence. */
  readonly done: string
  /** States that `--all` takes where `--state` says nothing. */
  readonly states: string
  /** States from which it can be granted at all. */
  readonly possible: readonly JobState[]
  /** Whether the wish was granted, by the job as it was and as it is. */
  outcome(before: Seen, after: Seen | undefined): { readonly granted: 'yes' | 'no'; readonly text: string }
}

const BATCH = 1_000
/** Jobs whose wish was not granted that are told one by one. */
const TOLD = 20

/** `cancel` and `retry`: by ids, or all jobs that match; carried out when it returns. */
export async function wishCommand(kind: WishKind, args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      journal: { type: 'string' },
      all: { type: 'boolean', default: false },
      state: { type: 'string' },
      task: { type: 'string' },
    },
  })
  if (values.all === positionals.length > 0) {
    throw new MillraceError('MILLRACE_CLI', 'expected either IDs or --all, and not both; look at --help')
  }
  if (!values.all) refuseBeside('IDs', values, ['state', 'task'])
  const reader = new JournalReader(journalOption(values.journal))
  try {
    if (!values.all) return await wishForIds(kind, reader, positionals, terminal)
    const filter = filterOf(values.state ?? kind.states, values.task)
    refuseImpossible(kind, filter.states)
    // Only then it is known in which states they are.
    if (reader.inboxJobs(filter.tasks) > 0) await takeOver(reader.file)
    return await wishForAll(kind, reader, Array.from(allJobs(reader, filter), seen), terminal)
  } finally {
    reader.close()
  }
}

/** A state that is named by mistake is told, rather than that nothing came of it. */
function refuseImpossible({ verb, possible }: WishKind, states: readonly JobState[]): void {
  const wrong = states.find((state) => !possible.includes(state))
  if (wrong === undefined) return
  throw new MillraceError(
    'MILLRACE_CLI',
    `${verb} can do nothing for jobs that are ${wrong}; expected ${possible.join(', ')}`,
    {
      path: '--state',
    },
  )
}

async function wishForIds(kind: WishKind, reader: JournalReader, ids: readonly string[], terminal: Terminal) {
  const inInbox = ids.flatMap((id) => unlessMissing(terminal, () => ({ id, isInInbox: reader.isInInbox(id) })))
  if (inInbox.some(({ isInInbox }) => isInInbox)) await takeOver(reader.file)
  const before = inInbox.flatMap(({ id }) => unlessMissing(terminal, () => jobOf(reader, id)))
  if (before.length > 0) await carryOut(reader.file, wishesOf(kind, reader, before))
  const outcomes = before.map((job) => ({ id: job.id, ...kind.outcome(job, reader.record(job.id)) }))
  for (const { id, text } of outcomes) terminal.out(`${id} ${text}`)
  return outcomes.filter(({ granted }) => granted === 'yes').length === ids.length ? exitCodes.ok : exitCodes.failed
}

/** An id without a job is told, and is no reason to leave the others as they are. */
function unlessMissing<T>(terminal: Terminal, look: () => T): T[] {
  try {
    return [look()]
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'MILLRACE_JOB_NOT_FOUND')) throw error
    reportError(error, terminal.detail, terminal)
    return []
  }
}

async function wishForAll(kind: WishKind, reader: JournalReader, before: readonly Seen[], { out, err }: Terminal) {
  let granted = 0
  let refused = 0
  for (let from = 0; from < before.length; from += BATCH) {
    const batch = before.slice(from, from + BATCH)
    await carryOut(reader.file, wishesOf(kind, reader, batch))
    for (const job of batch) {
      const outcome = kind.outcome(job, reader.record(job.id))
      if (outcome.granted === 'yes') granted += 1
      else if (++refused <= TOLD) err(`${job.id} ${outcome.text}`)
    }
  }
  if (refused > TOLD)
    err(`and ${plural(refused - TOLD, 'job')} more ${refused - TOLD === 1 ? 'was' : 'were'} not ${kind.done}`)
  out(`${plural(granted, 'job')} ${kind.done}`)
  return refused === 0 ? exitCodes.ok : exitCodes.failed
}

function wishesOf({ verb }: WishKind, reader: JournalReader, jobs: readonly Seen[]): Wish[] {
  return jobs.map(({ id }) => ({ verb, number: reader.numberOf(id) }))
}

function seen({ id, state, claim }: JobRecord): Seen {
  return { id, state, claim }
}
