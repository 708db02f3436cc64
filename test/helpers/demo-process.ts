import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { built } from './mutant.ts'

export interface DemoEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `npm run demo` of this build or of a copy, with its own folder for temporary files. */
export function demo(args: readonly string[], temporary: string, build = built) {
  const { PHOTO_FEED_BROKER: _, ...env } = process.env
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', join(build, 'examples', 'photo-feed', 'demo.js'), ...args],
    { env: { ...env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (text.stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (text.stderr += String(chunk)))
  /** Resolves when it has printed this, and when it has ended without. */
  const printed = async (wanted: string) => {
    while (!text.stdout.includes(wanted) && child.exitCode === null) {
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    }
  }
  const ended = once(child, 'close').then(([code]): DemoEnd => ({ code: code as number | null, ...text }))
  return { child, printed, ended }
}
