import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { MillraceError } from '../../lib/errors.ts'
import { journalFiles } from './files.ts'

/** What the owner waits for before it has its reserve again, and takes new jobs. */
const ROOM_BYTES = 16 * 1024 * 1024

/**
 * Throws `MILLRACE_DISK_FULL` while the owner, who may be another process, is out of room: its reserve is gone, and what
 * that has given it is for outcomes. Only then is the file system asked.
 */
export function refuseWithoutRoom(journal: string): void {
  if (statSync(journalFiles(journal).reserve, { throwIfNoEntry: false }) !== undefined) return
  const { bavail, bsize } = statfsSync(dirname(journal))
  const free = bavail * bsize
  if (free >= ROOM_BYTES) return
  throw new MillraceError(
    'MILLRACE_DISK_FULL',
    `the disk of the journal is nearly full; got ${free} bytes of room, expected ${ROOM_BYTES}: what there is settles what ` +
      'runs; nothing was written; make room, and enqueue again',
  )
}
