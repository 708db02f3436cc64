import { type Database, type Prepared, prepare, prepareValue } from '../files/sqlite.ts'

/** Task names as the index that both sides of the journal's port know and the id that rows store. */
export class TaskList {
  readonly #names: string[] = []
  readonly #ids: number[] = []
  readonly #indexOfName = new Map<string, number>()
  readonly #indexOfId = new Map<number, number>()
  readonly #insert: Prepared<[string]>
  readonly #find: Prepared<[string], number>

  constructor(db: Database) {
    this.#insert = prepare<[string]>(db, 'INSERT INTO millrace_tasks (name) VALUES (?) ON CONFLICT (name) DO NOTHING')
    this.#find = prepareValue<[string], number>(db, 'SELECT id FROM millrace_tasks WHERE name = ?')
    const all = prepare<[], { id: number; name: string }>(db, 'SELECT id, name FROM millrace_tasks ORDER BY id').all()
    for (const { id, name } of all) this.#learn(name, id)
  }

  get names(): readonly string[] {
    return this.#names
  }

  /** Gives a name its index; the owner does the same in the same order. */
  add(name: string): number {
    const known = this.#indexOfName.get(name)
    if (known !== undefined) return known
    this.#insert.run(name)
    return this.#learn(name, this.#find.get(name) as number)
  }

  nameOf(index: number): string {
    return this.#names[index] as string
  }

  idOf(index: number): number {
    return this.#ids[index] as number
  }

  indexOfId(id: number): number {
    return this.#indexOfId.get(id) as number
  }

  /** Forgets names that a rolled back transaction had added. */
  truncate(length: number): void {
    while (this.#names.length > length) {
      this.#indexOfName.delete(this.#names.pop() as string)
      this.#indexOfId.delete(this.#ids.pop() as number)
    }
  }

  #learn(name: string, id: number): number {
    const index = this.#names.length
    this.#names.push(name)
    this.#ids.push(id)
    this.#indexOfName.set(name, index)
    this.#indexOfId.set(id, index)
    return index
  }
}
