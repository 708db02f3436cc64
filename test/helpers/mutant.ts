import assert from 'node:assert/strict'
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One protection taken out: in this built file, this text becomes that. */
export interface Mutation {
  readonly file: string
  readonly from: string | RegExp
  readonly to: string
}

/** Where the build stands. */
export const built = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A copy of the build, by hard links, with a protection taken out; beside the build, so that it finds the same packages. */
export function mutant(...mutations: readonly Mutation[]): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(dirname(built), 'dist-mutant-'))
  link(built, folder)
  for (const { file, from, to } of mutations) {
    const path = join(folder, file)
    const before = readFileSync(path, 'utf8')
    const after = before.replace(from, to)
    assert.ok(after !== before, `${file} has no ${String(from)} to be taken out`)
    // Written into, it would be that of the build.
    rmSync(path)
    writeFileSync(path, after)
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

function link(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      mkdirSync(target)
      link(source, target)
    } else if (/\.c?js$/.test(entry.name)) linkSync(source, target)
  }
}
