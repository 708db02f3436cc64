import type { MessagePort } from 'node:worker_threads'
import type { Endpoint } from 'comlink'

type Listener = { handleEvent(event: unknown): void } | ((event: unknown) => void)

/** A Node port as the DOM-like endpoint that comlink expects (its own adapter has no types for ES modules). */
export function nodeEndpoint(port: MessagePort): Endpoint {
  const listeners = new Map<unknown, (data: unknown) => void>()
  return {
    postMessage: (message: unknown, transfer?: readonly unknown[]) =>
      port.postMessage(message, transfer as [] | undefined),
    addEventListener(_type: string, listener: Listener) {
      const wrapped = (data: unknown) => {
        if (typeof listener === 'function') listener({ data })
        else listener.handleEvent({ data })
      }
      port.on('message', wrapped)
      listeners.set(listener, wrapped)
    },
    removeEventListener(_type: string, listener: Listener) {
      const wrapped = listeners.get(listener)
      if (wrapped !== undefined) port.off('message', wrapped)
      listeners.delete(listener)
    },
    start: () => port.start(),
  } as Endpoint
}
