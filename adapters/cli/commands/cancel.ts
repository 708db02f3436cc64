import { isEnded } from '../../../lib/job-state.ts'
import type { Command } from '../command.ts'
import { wishCommand, type WishKind } from '../wish-command.ts'

const HELP = `Usage: millrace cancel ID... --journal FILE
       millrace cancel --all --journal FILE [--state STATES] [--task TASK]

Cancels jobs. One that has not started will not; one that runs is asked to end by the signal of its context, and is
cancelled then, unless it succeeds first.

Options
  --journal FILE   the journal
  --all            every job that matches
  --state STATES   with --all: of these states: scheduled, available, running, away; default all of them but away
  --task TASK      with --all: of this task

Exit codes
  0  all of them are cancelled, or were asked to end
  1  a job was not found, or was over already; all others are cancelled, or were asked to end
  2  wrong usage
  3  the journal cannot be used

Examples
  millrace cancel k3x9q2-1f --journal data/jobs.db
  millrace cancel --all --state scheduled --task mail.digest --journal data/jobs.db`

const kind: WishKind = {
  verb: 'cancel',
  done: 'cancelled or asked to end',
  states: 'scheduled,available,running',
  possible: ['scheduled', 'available', 'running', 'away'],
  outcome(before, after) {
    if (isEnded(before.state)) return { granted: 'no', text: `is ${before.state} already` }
    if (after === undefined || (isEnded(after.state) && after.state !== 'cancelled')) {
      return { granted: 'no', text: `has ${after?.state ?? 'succeeded'} before it could be cancelled` }
    }
    return { granted: 'yes', text: after.state === 'cancelled' ? 'cancelled' : 'runs and was asked to end' }
  },
}

export const cancel: Command = {
  name: 'cancel',
  summary: 'cancels jobs, or asks running ones to end',
  help: HELP,
  run: (args, terminal) => wishCommand(kind, args, terminal),
}
