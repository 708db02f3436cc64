import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { refuseToLeaveOut } from './without-root.ts'

/** A file system of its own, so small that it is soon full. Undefined where it may not be mounted, unless that is an error. */
export function smallDisk(test: { after(clean: () => void): unknown }, megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    rmdirSync(folder)
    refuseToLeaveOut('a small file system cannot be mounted')
    return undefined
  }
  test.after(() => {
    execFileSync('umount', ['--lazy', folder])
    rmdirSync(folder)
  })
  return folder
}

/** Takes away the file systems that somebody who was killed has left below a folder. */
export function unmountBelow(folder: string): void {
  const mounts = process.platform === 'linux' ? readFileSync('/proc/self/mounts', 'utf8').split('\n') : []
  for (const line of mounts) {
    const [, at = ''] = line.split(' ')
    if (at.startsWith(`${folder}/`)) execFileSync('umount', ['--lazy', at])
  }
}
