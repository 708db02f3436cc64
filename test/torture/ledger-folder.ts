import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

const SUFFIX = '.ledger'

/** Where a process writes what it does, by its name. */
export function ledgerFile(folder: string, name: string): string {
  return join(folder, name + SUFFIX)
}

/** Reads what has been added to all ledgers of a folder; a line that was cut short by a kill has not happened. */
export class LedgerFolder {
  readonly #folder: string
  readonly #readTo = new Map<string, number>()

  constructor(folder: string) {
    this.#folder = folder
  }

  news(): string[][] {
    const files = readdirSync(this.#folder).filter((name) => name.endsWith(SUFFIX))
    return files.flatMap((name) => this.#newsOf(name))
  }

  #newsOf(name: string): string[][] {
    const at = this.#readTo.get(name) ?? 0
    const text = textFrom(join(this.#folder, name), at)
    // Each line begins with its break: what stands behind the last one may still be on its way.
    const end = text.endsWith(' .') ? text.length : Math.max(0, text.lastIndexOf('\n'))
    this.#readTo.set(name, at + Buffer.byteLength(text.slice(0, end)))
    const lines = text.slice(0, end).split('\n')
    return lines.map((line) => line.split(' ')).filter((words) => words.at(-1) === '.')
  }
}

function textFrom(path: string, at: number): string {
  const descriptor = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - at))
    readSync(descriptor, buffer, 0, buffer.length, at)
    return buffer.toString()
  } finally {
    closeSync(descriptor)
  }
}
