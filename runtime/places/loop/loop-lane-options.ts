import type { Clock } from '../../../lib/clock.ts'
import type { Catalog } from '../../catalog.ts'
import type { StartsSink } from '../../journal/files/starts.ts'
import type { ChildPort, PlaceListener } from '../../messages.ts'
import type { HandlerCalls } from './handler-calls.ts'
import type { Handlers } from '../attempt/handlers.ts'
import type { OwnTurn } from './own-turn.ts'

export interface LoopLaneOptions {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly index: number
  readonly concurrency: number
  readonly handJobs: number
  readonly handBytes: number
}

export interface LoopLaneContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly listener: PlaceListener
  readonly children: ChildPort
  readonly handlers: Handlers
  readonly journal: string
  readonly starts: StartsSink | undefined
  readonly calls: HandlerCalls
  /** Where handlers are called, if they may be unwound; else where the place is told to pull. */
  readonly turn: OwnTurn | undefined
  /** As many new slots, by their records in the starts file: the number of the first. */
  takeSlots(count: number): number
}
