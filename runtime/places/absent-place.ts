import type { Place, Stuck } from '../messages.ts'

/** Where a place would be that could not start: it takes nothing, and says why. */
export class AbsentPlace implements Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly ready: Promise<never>
  readonly capacity = { jobs: 0, bytes: 0 }

  constructor({ name, kind }: { readonly name: string; readonly kind: 'tier' | 'lane' }, cause: Error) {
    this.name = name
    this.kind = kind
    this.ready = Promise.reject(cause)
    this.ready.catch(() => {})
  }

  pull(): void {}

  recallBehind(): void {}

  cancel(): 'absent' {
    return 'absent'
  }

  claims(): readonly [] {
    return []
  }

  stop(): Promise<readonly Stuck[]> {
    return Promise.resolve([])
  }
}
