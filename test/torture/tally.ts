import { CHILDREN } from '../fixtures/torture-tasks.ts'
import { isDuplicated, isExplained, isRecovered, type Kill, rerunsOf, type Run, type Story } from './story.ts'

/** Each of these is a fault, at the end of it all. */
export const faults = ['lost', 'away', 'wrong', 'unexpected', 'unexplained', 'dead'] as const

export type Fault = (typeof faults)[number]

/** What became of it all, by the ledgers. */
export interface Verdict extends Readonly<Record<Fault, number>> {
  readonly attempted: number
  readonly acknowledged: number
  /** Jobs of which an attempt has run to its end, children too. */
  readonly executed: number
  /** Begun by a process that was killed, and ended by another one. */
  readonly recovered: number
  /** Run to the end of the same attempt more than once. */
  readonly duplicated: number
  /** How often an attempt was begun that had been begun before. */
  readonly reruns: number
}

/** Of as many jobs of each fault everything is shown. */
const SHOWN = 5

/** Adds up what the ledgers say, line by line. */
export class Tally {
  readonly #tried = new Map<string, number>()
  readonly #acknowledged = new Set<string>()
  readonly #stories = new Map<string, Story>()
  readonly #endedKeys = new Set<string>()
  readonly #dead = new Set<string>()
  readonly #kills: Kill[] = []
  #home = 0
  lines = 0

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Of how many it was told at home. */
  get home(): number {
    return this.#home
  }

  /** `what key [id [word]] life at .`, or `kill life from to .` */
  read(words: readonly string[]): void {
    this.lines++
    const [what, key = '', id = '', word = ''] = words
    const [life = '', at = ''] = words.slice(-3)
    if (what === 'try') this.#tried.set(key, Number(at))
    if (what === 'kill') this.#kills.push({ life: key, from: Number(id), to: Number(word) })
    if (what === 'ack') {
      this.#acknowledged.add(id)
      this.#storyOf(id).key = key
    }
    if (what === 'start') this.#begun(key, id, { attempt: word, life, at: Number(at), status: 'begun' })
    if (what === 'end') this.#over(key, id, { attempt: word, life, status: 'ended' })
    if (what === 'fail') this.#over(key, id, { attempt: word, life, status: 'failed' })
    if (what === 'home') this.#atHome(id, Number(at))
    if (what === 'kept') this.#storyOf(id).kept = word
    if (what === 'dead') this.#dead.add(id)
  }

  verdict(): Verdict {
    const stories = [...this.#stories.values()]
    const killed = new Set(this.#kills.map(({ life }) => life))
    const count = (is: (story: Story) => boolean) => stories.filter(is).length
    const of = (fault: Fault) => this.idsOf(fault).length
    return {
      attempted: this.#tried.size,
      acknowledged: this.#acknowledged.size,
      executed: count(({ runs }) => runs.some(({ status }) => status === 'ended')),
      lost: of('lost'),
      unexpected: of('unexpected'),
      duplicated: count(isDuplicated),
      recovered: count((story) => isRecovered(story, killed)),
      dead: of('dead'),
      away: of('away'),
      wrong: of('wrong'),
      reruns: stories.reduce((sum, story) => sum + rerunsOf(story).length, 0),
      unexplained: of('unexplained'),
    }
  }

  /** All that the ledgers say of the first jobs of a fault. */
  evidenceOf(fault: Fault): readonly string[] {
    return this.idsOf(fault)
      .slice(0, SHOWN)
      .map((id) => `${fault}: ${id} ${JSON.stringify(this.#stories.get(id))}`)
  }

  idsOf(fault: Fault): readonly string[] {
    return [...this.#stories].filter(([id, story]) => this.#has(fault, id, story)).map(([id]) => id)
  }

  #has(fault: Fault, id: string, story: Story): boolean {
    const { key, runs, kept } = story
    switch (fault) {
      case 'lost':
        return this.#acknowledged.has(id) && (!this.#endedKeys.has(key) || this.#lacksChild(story))
      case 'away':
        return this.#acknowledged.has(id) && kept === undefined
      case 'wrong':
        return kept !== undefined && kept !== 'right'
      case 'unexpected':
        return runs.length > 0 && !this.#tried.has(key.split('/')[0] as string)
      case 'unexplained':
        return !isExplained(story, this.#tried.get(key) ?? 0, this.#kills)
      case 'dead':
        return this.#dead.has(id)
    }
  }

  /** Children are committed with the success of their parent. */
  #lacksChild({ key, kept }: Story): boolean {
    if (!key.endsWith('family') || kept !== 'right') return false
    return Array.from({ length: CHILDREN }, (_, at) => `${key}/${at}`).some((child) => !this.#endedKeys.has(child))
  }

  #storyOf(id: string): Story {
    const known = this.#stories.get(id)
    if (known !== undefined) return known
    const story: Story = { key: '-', runs: [], homeAt: undefined, kept: undefined }
    this.#stories.set(id, story)
    return story
  }

  #begun(key: string, id: string, run: Run): void {
    const story = this.#storyOf(id)
    story.key = key
    story.runs.push(run)
  }

  #over(key: string, id: string, { attempt, life, status }: Omit<Run, 'at'>): void {
    if (status === 'ended') this.#endedKeys.add(key)
    const runs = this.#storyOf(id).runs
    const run = runs.find((each) => each.status === 'begun' && each.life === life && each.attempt === attempt)
    if (run !== undefined) run.status = status
  }

  #atHome(id: string, at: number): void {
    const story = this.#storyOf(id)
    if (story.homeAt === undefined) this.#home++
    story.homeAt ??= at
  }
}
