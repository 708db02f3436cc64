/** When a job is due, or has ended, and its number. */
export type TimedJob = readonly [at: number, id: number]

/** Jobs that stand in order, read so many at a time, each time behind the last one; only as far as they are asked for. */
export function* inChunks(
  size: number,
  behind: TimedJob,
  read: (behind: TimedJob) => readonly TimedJob[],
): Generator<TimedJob> {
  for (let last = behind; ; ) {
    const jobs = read(last)
    yield* jobs
    const end = jobs.at(-1)
    if (end === undefined || jobs.length < size) return
    last = end
  }
}

/** What stands in order in each of several ways, in order. */
export function* merged(ways: readonly Iterator<TimedJob>[], direction: 'ASC' | 'DESC'): Generator<TimedJob> {
  const sign = direction === 'ASC' ? 1 : -1
  const heads = ways.map((way) => headOf(way))
  for (;;) {
    let first: Head | undefined
    for (const head of heads) {
      if (head.job !== undefined && (first?.job === undefined || sign * compare(head.job, first.job) < 0)) first = head
    }
    if (first?.job === undefined) return
    yield first.job
    first.job = nextOf(first.way)
  }
}

interface Head {
  readonly way: Iterator<TimedJob>
  job: TimedJob | undefined
}

function headOf(way: Iterator<TimedJob>): Head {
  return { way, job: nextOf(way) }
}

function nextOf(way: Iterator<TimedJob>): TimedJob | undefined {
  const { done, value } = way.next() as IteratorResult<TimedJob, undefined>
  return done === true ? undefined : value
}

function compare([at, id]: TimedJob, [otherAt, otherId]: TimedJob): number {
  return at - otherAt || id - otherId
}
