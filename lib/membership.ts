/** How often a node says that it is there. */
export const BEAT_MS = 5_000
/** One from which nothing came for so long is late: it may hang, or be cut off. */
export const LATE_MS = 10_000
/** And gone after so long. */
export const GONE_MS = 15_000
/** A node that is gone is remembered for so long. */
export const REMEMBERED_MS = 24 * 3_600_000
/** Of more nodes than this those are forgotten first that have been gone for longest. */
export const MOST_NODES = 1_000

export type NodeStatus = 'answers' | 'late' | 'gone'

/** A node as another one sees it. */
export interface Member<About> {
  readonly node: string
  readonly status: NodeStatus
  /** Since when it has this status, in the milliseconds that were given to the membership. */
  readonly sinceMs: number
  /** What it has told of itself last; `undefined` where it was only remembered from before. */
  readonly about: About | undefined
}

interface Lease<About> {
  about: About | undefined
  /** When it was first heard after it had been away. */
  answersSinceMs: number
  heardMs: number
  /** When it has said that it leaves. */
  leftMs: number | undefined
}

/**
 * Who is there, by what was heard: a lease for each node, which a beat extends. Time is passed in and only rises; nothing
 * happens by itself, a status is what the time makes of a lease.
 */
export class Membership<About> {
  readonly #leases = new Map<string, Lease<About>>()

  /** Something came from a node. 'new': nobody knew it. */
  heard(node: string, about: About | undefined, nowMs: number): 'new' | 'known' {
    const lease = this.#leases.get(node)
    if (lease === undefined) {
      if (!this.#makeRoom(nowMs)) return 'known'
      this.#leases.set(node, { about, answersSinceMs: nowMs, heardMs: nowMs, leftMs: undefined })
      return 'new'
    }
    if (statusOf(lease, nowMs) !== 'answers') lease.answersSinceMs = nowMs
    lease.about = about ?? lease.about
    lease.heardMs = nowMs
    lease.leftMs = undefined
    return 'known'
  }

  /** It has said that it leaves: it is gone at once. */
  left(node: string, nowMs: number): void {
    const lease = this.#leases.get(node)
    if (lease !== undefined) lease.leftMs ??= nowMs
  }

  /** Knows a node from before, as one that is gone since then, unless it has been heard. */
  remember(node: string, goneSinceMs: number, nowMs: number): void {
    if (this.#leases.has(node) || !this.#makeRoom(nowMs)) return
    const heardMs = goneSinceMs - GONE_MS
    this.#leases.set(node, { about: undefined, answersSinceMs: heardMs, heardMs, leftMs: goneSinceMs })
  }

  /** Who asks was away himself for so long, and could hear nobody: that is nobody's fault. */
  wasAway(awayMs: number, nowMs: number): void {
    for (const lease of this.#leases.values()) {
      if (lease.leftMs === undefined) lease.heardMs = Math.min(nowMs, lease.heardMs + awayMs)
    }
  }

  statusOf(node: string, nowMs: number): NodeStatus | undefined {
    const lease = this.#leases.get(node)
    return lease === undefined || isForgotten(lease, nowMs) ? undefined : statusOf(lease, nowMs)
  }

  /** All that are known, by their names. */
  members(nowMs: number): readonly Member<About>[] {
    this.#forget(nowMs)
    return [...this.#leases]
      .map(([node, lease]) => ({
        node,
        status: statusOf(lease, nowMs),
        sinceMs: sinceMs(lease, nowMs),
        about: lease.about,
      }))
      .sort((a, b) => (a.node < b.node ? -1 : 1))
  }

  #forget(nowMs: number): void {
    for (const [node, lease] of this.#leases) if (isForgotten(lease, nowMs)) this.#leases.delete(node)
  }

  /** Whether there is room for one more. Who is there is never given up for a stranger. */
  #makeRoom(nowMs: number): boolean {
    if (this.#leases.size < MOST_NODES) return true
    this.#forget(nowMs)
    if (this.#leases.size < MOST_NODES) return true
    let oldest: { readonly node: string; readonly goneMs: number } | undefined
    for (const [node, lease] of this.#leases) {
      const goneMs = goneAtMs(lease)
      if (goneMs <= nowMs && (oldest === undefined || goneMs < oldest.goneMs)) oldest = { node, goneMs }
    }
    return oldest !== undefined && this.#leases.delete(oldest.node)
  }
}

function goneAtMs({ heardMs, leftMs }: Lease<unknown>): number {
  return leftMs ?? heardMs + GONE_MS
}

function isForgotten(lease: Lease<unknown>, nowMs: number): boolean {
  return nowMs >= goneAtMs(lease) + REMEMBERED_MS
}

function statusOf(lease: Lease<unknown>, nowMs: number): NodeStatus {
  if (nowMs >= goneAtMs(lease)) return 'gone'
  return nowMs >= lease.heardMs + LATE_MS ? 'late' : 'answers'
}

function sinceMs(lease: Lease<unknown>, nowMs: number): number {
  switch (statusOf(lease, nowMs)) {
    case 'gone':
      return goneAtMs(lease)
    case 'late':
      return lease.heardMs + LATE_MS
    case 'answers':
      return lease.answersSinceMs
  }
}
