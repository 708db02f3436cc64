/** One time that an attempt of a job was begun. */
export interface Run {
  /** Of the process that began it. */
  readonly life: string
  readonly at: number
  readonly attempt: string
  status: 'begun' | 'ended' | 'failed'
}

/** Somebody was dead, or without memory, from the one time to the other. */
export interface Kill {
  readonly life: string
  readonly from: number
  readonly to: number
}

/** What the ledgers say of one job. */
export interface Story {
  key: string
  readonly runs: Run[]
  /** When its outcome was told at home. */
  homeAt: number | undefined
  /** What its node says of it at the end. */
  kept: string | undefined
}

/** An acknowledgement that the broker has not written when it is killed is none; and one that is back is slow to answer. */
const SLACK_MS = 2_000
/** What was with somebody comes again; what was sent and not confirmed, or replaced and not acknowledged, is sent again. */
const COPIES_A_KILL = 2

/** The runs of attempts that had been begun before. */
export function rerunsOf({ runs }: Story): readonly Run[] {
  const begun = new Set<string>()
  const inOrder = runs.toSorted((a, b) => a.at - b.at)
  return inOrder.filter(({ attempt }) => begun.size === begun.add(attempt).size)
}

/** Ran to the end of the same attempt more than once. */
export function isDuplicated({ runs }: Story): boolean {
  const ended = runs.filter(({ status }) => status === 'ended').map(({ attempt }) => attempt)
  return new Set(ended).size < ended.length
}

/** Begun by a process that was killed before its end, and ended by another one. */
export function isRecovered({ runs }: Story, killed: ReadonlySet<string>): boolean {
  const cut = runs.filter(({ life, status }) => status === 'begun' && killed.has(life))
  return cut.some((run) => runs.some(({ life, status }) => status === 'ended' && life !== run.life))
}

/** Every run again follows the death of somebody who had to do with the job, and there are no more than those can bring. */
export function isExplained(story: Story, triedAt: number, kills: readonly Kill[]): boolean {
  const reruns = rerunsOf(story)
  const first = reruns[0]
  if (first === undefined) return true
  const inFlight = kills.filter(
    ({ from, to }) => triedAt <= to + SLACK_MS && (story.homeAt === undefined || from <= story.homeAt + SLACK_MS),
  )
  const causes = causesOf(story, inFlight)
  return causes.some(({ from }) => from <= first.at) && reruns.length <= COPIES_A_KILL * causes.length
}

/**
 * A worker that had a job and had not begun it leaves one behind: only where another one dies while it sends that anew
 * there are two.
 */
function causesOf({ key, runs }: Story, inFlight: readonly Kill[]): readonly Kill[] {
  const lives = new Set(runs.map(({ life }) => life))
  const owner = nameOf(key)
  const workers = inFlight.filter(({ life }) => nameOf(life).startsWith('worker'))
  const direct = inFlight.filter(
    ({ life }) =>
      lives.has(life) ||
      nameOf(life).startsWith('broker') ||
      nameOf(life) === owner ||
      (isChild(key) && nameOf(life).startsWith('worker')),
  )
  return direct.length > 0 || workers.length < 2 ? direct : workers
}

/** A child belongs to the worker that ran its parent, or to each of those. */
export function isChild(key: string): boolean {
  return key.includes('/')
}

function nameOf(life: string): string {
  return life.slice(0, life.indexOf('.'))
}
