import { adopt } from '../../runtime/journal/open.ts'
import type { Group, JobColumns } from '../../runtime/journal/protocol.ts'
import type { Store } from '../../runtime/journal/store/store.ts'
import { openDatabase } from '../../runtime/journal/files/sqlite.ts'
import { PAYLOAD } from '../payload.ts'
import type { MicroCase } from './case.ts'

const GROUP_JOBS = 500
const NOW = 1_700_000_000_000

/** The journal's own work without its thread and without a disk: groups of jobs that are claimed as they are written. */
class Groups {
  readonly #store: Store
  #group = 0
  #number = 0

  constructor() {
    this.#store = adopt(openDatabase(':memory:'), NOW, undefined).store
    this.#commit({
      names: ['bench.noop'],
      routes: {
        places: [{ name: 'default', parallel: 1, capacity: { jobs: 2 * GROUP_JOBS, bytes: 2 ** 30 } }],
        placeOf: [0],
      },
    })
  }

  appendAndFinish(): void {
    const jobs = this.#columns()
    this.#commit({ jobs })
    const done = Float64Array.from(jobs.numbers.flatMap((number) => [number, 1]))
    this.#commit({ done, room: [0, GROUP_JOBS, GROUP_JOBS * PAYLOAD.length] })
  }

  #columns(): JobColumns {
    const numbers = Array.from({ length: GROUP_JOBS }, () => ++this.#number)
    return { numbers, tasks: numbers.map(() => 0), inputs: numbers.map(() => PAYLOAD), extras: null }
  }

  #commit(part: Partial<Group>): void {
    const empty = {
      numbered: 0,
      names: [],
      routes: undefined,
      room: [],
      jobs: undefined,
      done: undefined,
      settles: [],
      requests: [],
    }
    this.#store.commit([{ ...empty, ...part, number: ++this.#group, now: NOW } as Group])
  }
}

let groups: Groups | undefined

export const storeCases: readonly MicroCase[] = [
  {
    what: `store: append and finish a job, groups of ${GROUP_JOBS}, in memory`,
    times: GROUP_JOBS,
    run() {
      groups ??= new Groups()
      groups.appendAndFinish()
    },
  },
]
