import type { EventEmitter } from 'eventemitter3'
import type { RuntimeEvent, RuntimeEvents } from '../../lib/events.ts'

/** Which event is waited for, and how long. */
export interface NextEventOptions<Payload> {
  /** Default: the first one. */
  readonly where?: (payload: Payload) => boolean
  /** Default: 5,000. */
  readonly timeoutMs?: number
}

/** What emits the events of a runtime: the runtime itself, or the emitter in it. */
export interface RuntimeEmitter {
  on<E extends RuntimeEvent>(event: E, listener: RuntimeEvents[E]): unknown
  off<E extends RuntimeEvent>(event: E, listener: RuntimeEvents[E]): unknown
}

type PayloadOf<Listener> = Listener extends (payload: infer Payload) => void ? Payload : never

/**
 * Resolves to the payload of the next event that is emitted from now on and matches. Rejects after the timeout and then
 * names the event and what came instead. So call it before what causes the event.
 */
export function nextEvent<E extends RuntimeEvent>(
  emitter: RuntimeEmitter,
  event: E,
  options?: NextEventOptions<PayloadOf<RuntimeEvents[E]>>,
): Promise<PayloadOf<RuntimeEvents[E]>>
export function nextEvent<Events extends object, E extends EventEmitter.EventNames<Events>>(
  emitter: EventEmitter<Events>,
  event: E,
  options?: NextEventOptions<PayloadOf<EventEmitter.EventListener<Events, E>>>,
): Promise<PayloadOf<EventEmitter.EventListener<Events, E>>>
export function nextEvent(
  emitter: {
    on(event: string, listener: (payload: unknown) => void): unknown
    off(event: string, listener: (payload: unknown) => void): unknown
  },
  event: string,
  { where = () => true, timeoutMs = 5_000 }: NextEventOptions<unknown> = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let others = 0
    const stop = () => {
      clearTimeout(timer)
      emitter.off(event, listener)
    }
    const listener = (payload: unknown) => {
      try {
        if (!where(payload)) {
          others++
          return
        }
        stop()
        resolve(payload)
      } catch (error) {
        stop()
        reject(error)
      }
    }
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`no '${event}' within ${timeoutMs} ms; ${others} came that did not match`))
    }, timeoutMs)
    emitter.on(event, listener)
  })
}
