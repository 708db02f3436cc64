import type { Clock, Timer } from '../../lib/clock.ts'
import type { Reply } from '../../lib/control-message.ts'
import type { ErrorRecord } from '../../lib/error-record.ts'
import type { Json } from '../../lib/json.ts'
import type { NodeStatus } from '../../lib/membership.ts'

/** What became of a question at one of the nodes. */
export type NodeAnswer<Answer = Json> = { readonly node: string } & (
  | { readonly type: 'answered'; readonly answer: Answer }
  /** It has answered that it could not do it. */
  | { readonly type: 'failed'; readonly error: ErrorRecord }
  /** It has not answered in time, and may do it all the same. */
  | { readonly type: 'late' }
  /** It is not there, and will not do it. */
  | { readonly type: 'gone' }
)

interface Question {
  readonly nodes: readonly string[]
  readonly waitsFor: Set<string>
  readonly replies: Map<string, Reply>
  readonly end: () => void
  readonly timer: Timer
}

/** Questions that were asked and not answered by all yet. */
export class Asks {
  readonly #clock: Clock
  readonly #statusOf: (node: string) => NodeStatus | undefined
  readonly #open = new Map<string, Question>()

  constructor(clock: Clock, statusOf: (node: string) => NodeStatus | undefined) {
    this.#clock = clock
    this.#statusOf = statusOf
  }

  /** Resolves when all nodes that are not gone have answered, or after `timeoutMs`, to an answer for each of the nodes. */
  begin(id: string, nodes: readonly string[], timeoutMs: number): Promise<readonly NodeAnswer[]> {
    return new Promise((resolve) => {
      const replies = new Map<string, Reply>()
      const end = () => {
        timer.cancel()
        this.#open.delete(id)
        resolve(nodes.map((node) => this.#answerOf(node, replies.get(node))))
      }
      const timer = this.#clock.setTimer(timeoutMs, end)
      const waitsFor = new Set(nodes.filter((node) => this.#statusOf(node) !== 'gone'))
      this.#open.set(id, { nodes, waitsFor, replies, end, timer })
      if (waitsFor.size === 0) end()
    })
  }

  /** What comes too late, twice, or from somebody who was not asked is of no interest to anybody. */
  answered(id: string, node: string, reply: Reply): void {
    const question = this.#open.get(id)
    if (question === undefined || question.replies.has(node) || !question.nodes.includes(node)) return
    question.replies.set(node, reply)
    question.waitsFor.delete(node)
    if (question.waitsFor.size === 0) question.end()
  }

  /** Nobody will answer it. */
  forget(id: string): void {
    this.#open.get(id)?.timer.cancel()
    this.#open.delete(id)
  }

  /** Answers every question with what is there. */
  close(): void {
    for (const { end } of this.#open.values()) end()
  }

  #answerOf(node: string, reply: Reply | undefined): NodeAnswer {
    if (reply !== undefined) return { node, ...reply }
    const status = this.#statusOf(node)
    return { node, type: status === 'gone' || status === undefined ? 'gone' : 'late' }
  }
}
