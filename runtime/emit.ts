import type { EventEmitter } from 'eventemitter3'
import type { RuntimeEvent, RuntimeEvents } from '../lib/events.ts'

/** The emitter that users listen on. */
export type Emitter = EventEmitter<RuntimeEvents>

/** How stages tell what happened. A listener that throws is the user's error and stops nothing of ours. */
export interface Emit {
  hasListeners(event: RuntimeEvent): boolean
  emit<E extends RuntimeEvent>(event: E, payload: Parameters<RuntimeEvents[E]>[0]): void
}

export function createEmit(emitter: Emitter): Emit {
  return {
    hasListeners: (event) => emitter.listenerCount(event) > 0,
    emit(event, payload) {
      try {
        ;(emitter.emit as (event: string, payload: unknown) => boolean).call(emitter, event, payload)
      } catch (error) {
        // As Node does with a listener of its own emitters that rejects: it must not be lost, nor blamed on a job.
        queueMicrotask(() => {
          throw error
        })
      }
    },
  }
}
