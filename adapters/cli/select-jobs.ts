import { MillraceError, nearest } from '../../lib/errors.ts'
import { type JobState, jobStates } from '../../lib/job-state.ts'
import type { JobRecord } from '../../lib/job.ts'
import type { JournalReader, ReadFilter } from '../../runtime/cli-support.ts'
import { plural } from './text.ts'

/** What runs and waits comes first. */
const ORDER: readonly JobState[] = [
  'running',
  'available',
  'scheduled',
  'away',
  'dead',
  'cancelled',
  'discarded',
  'expired',
  'succeeded',
]
const PAGE = 200

/** The filter of `--state` and `--task`; states may be several, with commas between them. One that is said twice counts once. */
export function filterOf(state: string | undefined, task: string | undefined): ReadFilter {
  const states = state?.split(',').map((each) => stateNamed(each.trim()))
  return { states: states === undefined ? ORDER : [...new Set(states)], tasks: task === undefined ? undefined : [task] }
}

function stateNamed(text: string): JobState {
  const state = jobStates.find((each) => each === text)
  if (state !== undefined) return state
  const near = nearest(text, jobStates)
  throw new MillraceError(
    'MILLRACE_CLI',
    `there is no state ${JSON.stringify(text)}; expected one of ${jobStates.join(', ')}` +
      (near === undefined ? '' : `; did you mean ${near}?`),
    { path: '--state' },
  )
}

/** Every job that matches, page by page. */
export function* allJobs(reader: JournalReader, filter: ReadFilter): Generator<JobRecord> {
  let after: string | undefined
  do {
    const page = reader.page(filter, PAGE, after)
    yield* page.jobs
    after = page.next
  } while (after !== undefined)
}

/** The job of an id; throws when the journal has no row of it. */
export function jobOf(reader: JournalReader, id: string): JobRecord {
  // Before the row, which it has once it is not in the inbox any more.
  const place = reader.isInInbox(id) ? 'inbox' : 'none'
  const record = reader.record(id)
  if (record !== undefined) return record
  const why =
    place === 'inbox'
      ? 'it is in the inbox, where a publisher has put it, and is a job with a state once an owner has taken it over; start ' +
        'the service, or cancel it'
      : 'either it succeeded and nothing of it is kept, or it was never enqueued; look with millrace jobs'
  throw new MillraceError('MILLRACE_JOB_NOT_FOUND', `${id} has no row in ${reader.file}; ${why}`, { path: 'id' })
}

/** Says which jobs no list has, since no owner has taken them over yet. */
export function inboxNote(reader: JournalReader, { states, tasks }: ReadFilter): string | undefined {
  // What was put in waits from then on, or is due later.
  if (!states.includes('available') && !states.includes('scheduled')) return undefined
  const jobs = reader.inboxJobs(tasks)
  return jobs === 0 ? undefined : `in the inbox: ${plural(jobs, 'job')} more, listed once a service has taken them over`
}

/** The `--journal` that every command on a journal needs. */
export function journalOption(file: string | undefined): string {
  if (file !== undefined) return file
  throw new MillraceError('MILLRACE_CLI', 'got no journal, expected --journal FILE; look at --help', {
    path: '--journal',
  })
}
