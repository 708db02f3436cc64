import type { MoveEvidence } from '../../lib/ladder.ts'
import type { TaskManifest, TaskPlace } from '../../lib/task.ts'
import type { Settings } from '../journal/owner/settings.ts'

/** Where a task was moved to, and why; kept over restarts. */
export interface Placement {
  readonly tier: string
  /** Epoch ms. */
  readonly movedAt: number
  /** How often it was demoted since it was first promoted. */
  readonly demotions: number
  readonly from: string
  readonly evidence: MoveEvidence
}

const PREFIX = 'tier.'

/** Which tier each task runs in that names none: where it starts, unless it was moved. */
export class Placements {
  readonly #settings: Settings
  readonly #byTask = new Map<string, Placement>()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** What earlier runtimes have found out; a tier that is no rung of the ladder any more says nothing. */
  begin(tiers: readonly string[]): void {
    for (const [task, value] of this.#settings.beginningWith(PREFIX)) {
      const placement = value as unknown as Placement
      if (tiers.includes(placement?.tier)) this.#byTask.set(task, placement)
    }
  }

  of(task: string): Placement | undefined {
    return this.#byTask.get(task)
  }

  placeOf({ name, place }: TaskManifest): TaskPlace {
    const moved = place.pinned ? undefined : this.#byTask.get(name)
    return moved === undefined ? place : { type: 'tier', name: moved.tier, pinned: false }
  }

  /** Resolves when it is durable; it holds from the call on. */
  move(task: string, placement: Placement): Promise<void> {
    this.#byTask.set(task, placement)
    return this.#settings.set(`${PREFIX}${task}`, { ...placement, evidence: { ...placement.evidence } } as never)
  }
}
