import type { Behavior } from '../../lib/actor.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Ladder, type Move, nextMove } from '../../lib/ladder.ts'
import type { Catalog } from '../catalog.ts'
import type { PromoterMessage } from '../messages.ts'
import type { Placements } from './placements.ts'
import type { RunWatch } from './run-watch.ts'

export interface PromoterOptions {
  readonly clock: Clock
  readonly ladder: Ladder
  readonly catalog: Catalog
  readonly placements: Placements
  readonly watch: RunWatch
  /** Whether jobs can be given to the tier now. */
  isOpen(tier: string): boolean
  /** The placement has changed: whoever routes has to look. */
  moved(task: string, move: Move): void
  onError(error: unknown): void
}

/** Moves tasks that name no tier up and down the ladder, by what their jobs were measured to take. */
export class Promoter implements Behavior<PromoterMessage> {
  readonly #options: PromoterOptions

  constructor(options: PromoterOptions) {
    this.#options = options
  }

  async receive({ task }: PromoterMessage): Promise<void> {
    const { catalog, clock, ladder, placements, isOpen, moved, onError, watch } = this.#options
    const name = catalog.name(task)
    const manifest = catalog.manifest(name)
    if (manifest === undefined || manifest.place.pinned) return
    const before = placements.of(name)
    const { name: tier } = placements.placeOf(manifest)
    const { movedAt, demotions = 0 } = before ?? {}
    const move = nextMove(ladder, { tier, movedAt, demotions, ...watch.of(task) }, clock.now())
    if (move === undefined || !isOpen(move.to)) return
    const { from, to, evidence } = move
    const fell = evidence.reason === 'fits' ? 0 : 1
    watch.forget(task)
    try {
      await placements.move(name, { tier: to, movedAt: clock.now(), demotions: demotions + fell, from, evidence })
    } catch (error) {
      // It holds in memory: where a task runs is no reason to wait for a disk.
      onError(error)
    }
    watch.forget(task)
    moved(name, move)
  }
}
