import { isEnded, transitions } from '../../../lib/job-state.ts'
import type { Command } from '../command.ts'
import { wishCommand, type WishKind } from '../wish-command.ts'

const HELP = `Usage: millrace retry ID... --journal FILE
       millrace retry --all --journal FILE [--state STATES] [--task TASK]

Makes jobs available again that have ended without success, with all their attempts. A service that owns the journal
starts them at once; without one they wait for it, or for the next millrace run on this journal.

Options
  --journal FILE   the journal
  --all            every job that matches
  --state STATES   with --all: of these states: dead, cancelled, discarded, expired; default dead
  --task TASK      with --all: of this task

Exit codes
  0  all of them are available
  1  a job was not found, had not ended, or its key belongs to another job now; all others are available
  2  wrong usage
  3  the journal cannot be used

Examples
  millrace retry k3x9q2-1f --journal data/jobs.db
  millrace retry --all --task photo.thumbnail --journal data/jobs.db`

const kind: WishKind = {
  verb: 'retry',
  done: 'retried',
  states: 'dead',
  possible: transitions.revive.from,
  outcome(before, after) {
    if (!isEnded(before.state) || before.state === 'succeeded') {
      return { granted: 'no', text: `is ${before.state}: only what ended without success can be retried` }
    }
    // With a runtime that was fast it is over already, by a claim of its own.
    const moved = after === undefined || !isEnded(after.state) || after.claim > before.claim
    return moved
      ? { granted: 'yes', text: `retried: it is ${after?.state ?? 'succeeded'}` }
      : { granted: 'no', text: `is still ${after.state}: another job has its key now` }
  },
}

export const retry: Command = {
  name: 'retry',
  summary: 'makes dead jobs available again',
  help: HELP,
  run: (args, terminal) => wishCommand(kind, args, terminal),
}
