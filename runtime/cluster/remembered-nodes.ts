import type { Clock } from '../../lib/clock.ts'
import { isNodeId } from '../../lib/control-message.ts'
import type { Json } from '../../lib/json.ts'
import { type NodeStatus, REMEMBERED_MS } from '../../lib/membership.ts'

/** The setting of the journal that has the nodes by their ids, with the instant at which each was there last. */
export interface KnownNodes {
  read(): Json | undefined
  write(nodes: Json): Promise<void>
}

/** Often enough for what a cancel needs of it: who may come back. */
const SAVE_MS = 600_000
const LEAST_MS = 1_000

/**
 * The nodes that were there, for the next process on this journal: one that is down while this one is started anew has to
 * be known, since cancels are kept for it.
 */
export class RememberedNodes {
  readonly #known: KnownNodes
  readonly #clock: Clock
  readonly #failed: (error: Error) => void
  #savedMs = Number.NEGATIVE_INFINITY
  #unsaved: 'yes' | 'no' = 'no'

  constructor(known: KnownNodes, clock: Clock, failed: (error: Error) => void) {
    this.#known = known
    this.#clock = clock
    this.#failed = failed
  }

  /** Those of the last day, with how long ago they were there by the clock that only rises. */
  *list(): Generator<{ readonly id: string; readonly goneSinceMs: number }> {
    const stored = this.#known.read()
    if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return
    const now = this.#clock.now()
    for (const [id, at] of Object.entries(stored)) {
      const agoMs = now - Number(at)
      if (isNodeId(id) && agoMs >= 0 && agoMs < REMEMBERED_MS) {
        yield { id, goneSinceMs: this.#clock.monotonicMs() - agoMs }
      }
    }
  }

  /** `change`: whether there is one that was not known. However many come at once, a journal has more to do than this. */
  keep(nodes: readonly { node: string; status: NodeStatus; sinceAt: number }[], change: 'new' | 'none'): void {
    const nowMs = this.#clock.monotonicMs()
    if (change === 'new') this.#unsaved = 'yes'
    const waitMs = this.#unsaved === 'yes' ? LEAST_MS : SAVE_MS
    if (nowMs - this.#savedMs < waitMs) return
    this.#savedMs = nowMs
    this.#unsaved = 'no'
    const now = this.#clock.now()
    const stored = Object.fromEntries(
      nodes.map(({ node, status, sinceAt }) => [node, status === 'gone' ? sinceAt : now]),
    )
    this.#known.write(stored).catch(this.#failed)
  }
}
