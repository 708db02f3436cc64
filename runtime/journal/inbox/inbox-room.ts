import { statSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { journalFiles } from '../files/files.ts'
import { freeBytes, ROOM_BYTES } from '../files/reserve.ts'

/**
 * Throws `MILLRACE_DISK_FULL` while the owner, who may be another process, is out of room: its reserve is gone, and what
 * that has given it is for outcomes. Only then is the file system asked.
 */
export function refuseWithoutRoom(journal: string): void {
  if (statSync(journalFiles(journal).reserve, { throwIfNoEntry: false }) !== undefined) return
  const free = freeBytes(journal)
  if (free >= ROOM_BYTES) return
  throw new MillraceError(
    'MILLRACE_DISK_FULL',
    `the disk of the journal is nearly full; got ${free} bytes of room, expected ${ROOM_BYTES}: what there is settles what ` +
      'runs; nothing was written; make room, and enqueue again',
  )
}
