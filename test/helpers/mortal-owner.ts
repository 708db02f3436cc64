import { openJournal, type OpenJournal } from '../../runtime/journal/open.ts'
import { createStarts, StartsWriter } from '../../runtime/journal/files/starts.ts'
import { KEEP_MS } from './journal-openers.ts'
import { StoreDriver } from './store-driver.ts'

export const SLOTS = 4

/** A process that owns a journal and may die: what it has begun is on file, as its threads write it. */
export class MortalOwner {
  readonly journal: StoreDriver
  readonly #file: string
  #owned: OpenJournal | undefined
  #starts: StartsWriter | undefined

  constructor(test: { after(close: () => void): unknown }, file: string) {
    this.#file = file
    this.journal = new StoreDriver({ open: (now) => this.#open(now) })
    this.#write()
    test.after(() => this.leave())
  }

  /** The process dies and another one is started. */
  die(): void {
    this.leave()
    this.journal.reopen()
    this.#write()
  }

  /** It dies, and what it has left is there for anybody. */
  leave(): void {
    this.#starts?.close()
    this.#starts = undefined
    this.#owned?.close()
    this.#owned = undefined
  }

  begin(slot: number, number: number): void {
    this.#starts?.begin(slot, number, this.journal.held(number).claim)
  }

  trial(): number[] {
    const before = new Set(this.journal.hand.keys())
    this.journal.request({ type: 'trial' })
    return [...this.journal.hand.keys()].filter((number) => !before.has(number))
  }

  /** Runs the job until its process has died of it so often. */
  dieOf(number: number, deaths: number): void {
    for (let death = 0; death < deaths; death++) {
      if (this.journal.opened.suspects === 0) this.journal.claim(100)
      else this.trial()
      this.begin(0, number)
      if (death < deaths - 1) this.die()
    }
  }

  #open(now: number): OpenJournal {
    this.#owned = openJournal({ file: this.#file, durability: 'relaxed', keepEndedMs: KEEP_MS }, now)
    return this.#owned
  }

  #write(): void {
    this.#starts = new StartsWriter(createStarts(this.#file, this.journal.opened.epoch, SLOTS), 0)
  }
}
