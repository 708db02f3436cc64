import { join } from 'node:path'
import type { ManualClock } from '../../lib/manual-clock.ts'
import { JournalAccess, type JournalAccessListener } from '../../runtime/journal/owner/access.ts'
import type { ConnectionListener, JournalConnection } from '../../runtime/journal/link.ts'
import { type OpenJournal, openJournal } from '../../runtime/journal/open.ts'
import type { Group } from '../../runtime/journal/protocol.ts'
import { Turnstile, TURNSTILE_BYTES } from '../../runtime/journal/turnstile.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { scratchFolder } from './scratch.ts'

export interface LoopJournal {
  readonly journal: JournalAccess
  /** Every group that was sent, in order. */
  readonly groups: Group[]
  /** What the journal has handed over, in the order of its commits. */
  readonly claimed: ClaimedJob[]
  readonly learned: string[][]
  /** Its thread dies: what was sent and not committed is lost. */
  die(): void
  /** Closes it and opens it anew, as the next owner would. */
  reopen(): Promise<JournalAccess>
  /** Makes a job durable. */
  enqueue(task: string, input?: string): Promise<number>
}

/** The real journal on a file, on this loop instead of a thread of its own: each group is committed in a microtask. */
export async function openLoopJournal(
  test: { after(clean: () => void): unknown },
  clock: ManualClock,
  listener: Partial<JournalAccessListener> = {},
): Promise<LoopJournal> {
  const options = { file: join(scratchFolder(), 'jobs.db'), durability: 'relaxed', keepEndedMs: 60_000 } as const
  const groups: Group[] = []
  const claimed: ClaimedJob[] = []
  const learned: string[][] = []
  let latest: LoopConnection | undefined
  const connect = (_: unknown, resume: number | undefined, to: ConnectionListener) => {
    latest = new LoopConnection(openJournal(options, clock.now(), resume), groups, to)
    return latest
  }
  const heard: JournalAccessListener = {
    ...DEAF,
    claimed: (jobs) => void claimed.push(...jobs),
    learnedTasks: (names) => void learned.push([...names]),
    ...listener,
  }
  const journal = new JournalAccess(options, connect, clock, heard)
  await journal.open()
  test.after(() => latest?.end())
  return {
    journal,
    groups,
    claimed,
    learned,
    die: () => latest?.die(),
    async reopen() {
      await journal.close()
      const next = new JournalAccess(options, connect, clock, heard)
      await next.open()
      return next
    },
    enqueue: async (task, input = 'null') => {
      if (journal.taskIndex(task) === undefined) await journal.learn([task], 'some')
      return append(journal, journal.taskIndex(task) as number, input)
    },
  }
}

function append(journal: JournalAccess, task: number, input: string): Promise<number> {
  return new Promise((resolve, refused) => {
    const number = journal.takeNumber() as number
    journal.append({ number, task, input, extra: null, accepted: resolve, refused })
  })
}

/** Hears of everything and does nothing. */
export const DEAF: JournalAccessListener = {
  claimed() {},
  settled() {},
  expired() {},
  goHome() {},
  wished() {},
  unsettled() {},
  nextDueAt() {},
  suspects() {},
  learnedTasks() {},
  health() {},
  overgrown() {},
  down() {},
  missed() {},
  reopened() {},
  gaveUp() {},
}

class LoopConnection implements JournalConnection {
  readonly turnstile = new Turnstile(new SharedArrayBuffer(TURNSTILE_BYTES))
  readonly exited: Promise<void>
  readonly #open: OpenJournal
  readonly #groups: Group[]
  readonly #listener: ConnectionListener
  #status: 'open' | 'closed' = 'open'
  #exit: () => void = () => {}

  constructor(open: OpenJournal, groups: Group[], listener: ConnectionListener) {
    this.#open = open
    this.#groups = groups
    this.#listener = listener
    this.exited = new Promise((resolve) => {
      this.#exit = resolve
    })
    queueMicrotask(() => listener.received({ type: 'opened', journal: open.opened }))
  }

  send(group: Group): void {
    this.#groups.push(group)
    queueMicrotask(() => {
      if (this.#status === 'closed') return
      for (const reply of this.#open.commit([group])) this.#listener.received({ type: 'reply', reply })
    })
  }

  query(): Promise<never> {
    return Promise.reject(new Error('this journal answers no queries'))
  }

  close(): void {
    queueMicrotask(() => this.end())
  }

  end(): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#open.close()
    this.#exit()
  }

  die(): void {
    this.end()
    this.#listener.exited(new Error('the journal thread died'))
  }
}
