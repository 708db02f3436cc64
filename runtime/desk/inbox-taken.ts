import { isUnanswered } from '../journal/owner/unanswered.ts'
import type { Wires } from '../wires.ts'

/**
 * Resolves when the queue has what other connections had put into the inbox by the time of the call, transactions of this
 * process among them. Where nothing is there that costs a look, and no commit. While the journal refuses commits it all
 * stays where it is, and nobody waits for it.
 */
export async function inboxTaken({ journal }: Pick<Wires, 'journal'>): Promise<void> {
  for (;;) {
    try {
      return await taken({ journal })
    } catch (error) {
      // The next thread is asked when it has opened the journal.
      if (!isUnanswered(error) || (await commitHeard({ journal })) === 'refused') throw error
    }
  }
}

async function taken({ journal }: Pick<Wires, 'journal'>): Promise<void> {
  const last = await journal.query((queries) => queries.lastInInbox())
  if (last === undefined) return
  do if ((await commitHeard({ journal })) === 'refused') return
  while (await journal.query((queries) => queries.isInInbox(last)))
}

/** Resolves when this process has heard of every commit up to now: a query may know of more. */
export function commitHeard({ journal }: Pick<Wires, 'journal'>): Promise<'heard' | 'refused'> {
  return journal.barrier('none').then(
    () => 'heard',
    () => 'refused',
  )
}

/** Resolves when a commit has left nothing there. */
export async function inboxEmptied({ journal }: Pick<Wires, 'journal'>): Promise<void> {
  do await journal.barrier()
  while (await mayHaveMore({ journal }))
}

async function mayHaveMore({ journal }: Pick<Wires, 'journal'>): Promise<boolean> {
  try {
    return (await journal.query((queries) => queries.lastInInbox())) !== undefined
  } catch (error) {
    if (!isUnanswered(error)) throw error
    // The next thread is asked when it has opened the journal.
    return true
  }
}
