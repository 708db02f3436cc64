import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** One protection taken out: in this built file, this text becomes that. */
export interface Mutation {
  readonly file: string
  readonly from: string | RegExp
  readonly to: string
}

/** Where the build stands. */
export const built = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** What a build, or a copy of it, exports. */
export async function loadBuild(root: string) {
  return (await import(pathToFileURL(join(root, 'runtime/index.js')).href)) as typeof import('../../runtime/index.ts')
}

/** A copy of the build, by hard links, with a protection taken out; beside the build, so that it finds the same packages. */
export function mutant(...mutations: readonly Mutation[]): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(dirname(built), 'dist-mutant-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    link(built, folder)
    for (const mutation of mutations) takeOut(mutation, folder)
  } catch (error) {
    remove()
    throw error
  }
  return { folder, [Symbol.dispose]: remove }
}

function takeOut({ file, from, to }: Mutation, folder: string): void {
  const path = join(folder, file)
  const before = readFileSync(path, 'utf8')
  const after = before.replace(from, to)
  assert.ok(after !== before, `${file} has no ${String(from)} to be taken out`)
  // Written into, it would be that of the build.
  rmSync(path)
  writeFileSync(path, after)
  refuseMalformed(path, file)
}

/** Whatever loads it would fail, whether the protection is there or not. */
function refuseMalformed(path: string, file: string): void {
  const { status, stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' })
  assert.equal(status, 0, `${file} cannot be parsed any more: ${stderr}`)
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
