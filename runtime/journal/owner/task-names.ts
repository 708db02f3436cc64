/** Task names as the owner knows them, by the index that the journal has given them. */
export class TaskNames {
  readonly #names: string[] = []
  readonly #indexOf = new Map<string, number>()

  get all(): readonly string[] {
    return this.#names
  }

  indexOf(name: string): number | undefined {
    return this.#indexOf.get(name)
  }

  at(index: number): string {
    return this.#names[index] as string
  }

  /** The next ones, in the journal's order. */
  add(names: readonly string[]): void {
    for (const name of names) {
      this.#indexOf.set(name, this.#names.length)
      this.#names.push(name)
    }
  }
}
