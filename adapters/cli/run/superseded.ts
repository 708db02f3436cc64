import { lstatSync } from 'node:fs'
import { open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { MillraceError } from '../../../lib/errors.ts'
import type { LineSet } from './line-set.ts'
import { readLine } from './outcome-line.ts'
import { allLines, type OutputLine, wholeLines } from './whole-lines.ts'

const GROUP = 1_000

/**
 * Writes the output anew without some lines. The new file takes the place of the old one once it is whole and on disk, with
 * the same rights; where the path is a link it stays one.
 */
export async function withoutLines(path: string, superseded: LineSet): Promise<void> {
  const target = await realpath(path)
  const part = `${target}.part`
  if (lstatSync(part, { throwIfNoEntry: false }) !== undefined) await removeOurs(part, target)
  const handle = await open(part, 'wx', 0o600)
  try {
    await copyWithout(target, superseded, handle)
    await takeRights(target, handle)
    await handle.datasync()
  } catch (error) {
    await unlink(part)
    throw error
  } finally {
    await handle.close()
  }
  await rename(part, target)
}

async function copyWithout(path: string, superseded: LineSet, to: FileHandle): Promise<void> {
  let kept: string[] = []
  for await (const { text } of wholeLines(path)) {
    const { line } = readLine(text) as { line: number }
    if (superseded.has(line) || kept.push(`${text}\n`) < GROUP) continue
    await to.writeFile(kept.join(''))
    kept = []
  }
  await to.writeFile(kept.join(''))
}

async function takeRights(path: string, handle: FileHandle): Promise<void> {
  const { mode, uid, gid } = await stat(path)
  await handle.chmod(mode & 0o777)
  // Nobody else may give files away.
  if (process.geteuid?.() === 0) await handle.chown(uid, gid)
}

/** A run that was killed here has left a part of its output. Whatever else has that name is somebody's. */
async function removeOurs(part: string, output: string): Promise<void> {
  if (!lstatSync(part).isFile() || !(await isPartOf(part, output))) {
    throw new MillraceError(
      'MILLRACE_CLI',
      `${part} is in the way; got a file with what is not in ${output}, expected none, or what a killed run has left there; ` +
        'move it away',
      { path: '--output' },
    )
  }
  await unlink(part)
}

/** Whether all lines of the part stand in the output as well, in the same order: nothing is lost with it. */
async function isPartOf(part: string, output: string): Promise<boolean> {
  const lines = wholeLines(output)
  try {
    for await (const line of allLines(part)) if (!(await comesIn(lines, line))) return false
    return true
  } finally {
    await lines.return(undefined)
  }
}

async function comesIn(lines: AsyncGenerator<OutputLine>, { text, end }: OutputLine): Promise<boolean> {
  // A kill may have cut a character.
  const start = text.replace(/\uFFFD+$/, '')
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    if (end === 'whole' ? next.value.text === text : next.value.text.startsWith(start)) return true
  }
  return false
}
