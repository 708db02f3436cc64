import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { openDatabase } from '../runtime/journal/files/sqlite.ts'

/** What a figure must be read with. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly node: string
  readonly sqlite: string
  readonly fileSystem: string
  readonly durability: 'FULL'
  /** Of the last minute, as the benches began: what others used of the machine. */
  readonly load: number
}

export function thisMachine(): Machine {
  const db = openDatabase(':memory:')
  const sqlite = db.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? ''
  db.close()
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    sqlite,
    fileSystem: fileSystemOf(tmpdir()),
    durability: 'FULL',
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
  }
}

/** The type of what is mounted above a path; Linux only. */
function fileSystemOf(path: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, at = '']) => at !== '' && (path === at || path.startsWith(at === '/' ? at : `${at}/`)))
    return mounts.sort(([, a = ''], [, b = '']) => b.length - a.length)[0]?.[2] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
