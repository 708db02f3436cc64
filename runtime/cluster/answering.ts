import type { Clock } from '../../lib/clock.ts'
import { type Ask, type AskedOfNode, encodeControl, type Reply } from '../../lib/control-message.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Json } from '../../lib/json.ts'

export interface AnsweringOptions {
  readonly clock: Clock
  readonly node: string
  /** Does what this node is asked, by one of the verbs; rejects where it cannot. */
  carryOut(request: AskedOfNode): Promise<Json>
}

/** Clocks of machines differ; what is older is not done any more. */
const STALE_MS = 30_000
const REMEMBERED = 1_000
const MOST_AT_ONCE = 100

/** Does what a node is asked: once, if it is meant, and not long after who asks has given up. */
export class Answering {
  readonly #options: AnsweringOptions
  /** Ids of questions, the oldest first: the same one may come twice. */
  readonly #asked = new Set<string>()
  #underWay = 0

  constructor(options: AnsweringOptions) {
    this.#options = options
  }

  /** `undefined` for what gets no answer from this node. */
  async replyTo({ id, nodes, request, sentAt, timeoutMs }: Ask): Promise<Reply | undefined> {
    const { clock, node } = this.#options
    if (nodes !== 'all' && !nodes.includes(node)) return undefined
    if (this.#asked.has(id) || clock.now() - sentAt > timeoutMs + STALE_MS) return undefined
    this.#remember(id)
    if (this.#underWay >= MOST_AT_ONCE) return { type: 'failed', error: toErrorRecord(tooMany()) }
    this.#underWay++
    try {
      return await this.#carryOut(request)
    } catch (error) {
      return { type: 'failed', error: toErrorRecord(error) }
    } finally {
      this.#underWay--
    }
  }

  async #carryOut(request: AskedOfNode): Promise<Reply> {
    const { carryOut, node } = this.#options
    const reply: Reply = { type: 'answered', answer: await carryOut(request) }
    // Throws where it is too large to be sent.
    encodeControl({ type: 'answer', id: '', node, reply })
    return reply
  }

  #remember(id: string): void {
    this.#asked.add(id)
    for (const oldest of this.#asked) {
      if (this.#asked.size <= REMEMBERED) break
      this.#asked.delete(oldest)
    }
  }
}

function tooMany(): MillraceError {
  return new MillraceError(
    'MILLRACE_OVERLOADED',
    `the node is being asked too much at once; got ${MOST_AT_ONCE} questions before this one; ask again`,
  )
}
