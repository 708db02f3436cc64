import type { Place, PlaceReport, Stuck } from '../messages.ts'

/** Where a place would be that could not start: it takes nothing, and says why. */
export class AbsentPlace implements Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly ready: Promise<never>
  readonly capacity = { jobs: 0, bytes: 0 }
  readonly parallel = 0

  constructor({ name, kind }: { readonly name: string; readonly kind: 'tier' | 'lane' }, cause: Error) {
    this.name = name
    this.kind = kind
    this.ready = Promise.reject(cause)
    this.ready.catch(() => {})
  }

  pull(): void {}

  recall(): void {}

  takeBack(): readonly [] {
    return []
  }

  cancel(): 'absent' {
    return 'absent'
  }

  resize(): 'refused' {
    return 'refused'
  }

  claims(): readonly [] {
    return []
  }

  report(): Promise<PlaceReport> {
    return Promise.resolve({ threads: [], zombies: 0, restarts: 0 })
  }

  find(): undefined {
    return undefined
  }

  stop(): Promise<readonly Stuck[]> {
    return Promise.resolve([])
  }
}
