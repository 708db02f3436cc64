import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MillraceError } from '../../../../lib/errors.ts'
import { faultOf } from '../../../../runtime/journal/files/faults.ts'
import { fileError } from '../../../../runtime/journal/files/file-error.ts'

/** What each error says of the journal; nothing of one that a single statement is to blame for. */
const KINDS: Readonly<Record<string, string | undefined>> = {
  SQLITE_FULL: 'disk-full',
  SQLITE_IOERR_WRITE: 'disk-full',
  SQLITE_IOERR_SHMSIZE: 'disk-full',
  SQLITE_IOERR: 'io',
  SQLITE_IOERR_READ: 'io',
  SQLITE_IOERR_FSYNC: 'io',
  SQLITE_IOERR_SHORT_READ: 'io',
  SQLITE_READONLY: 'io',
  SQLITE_READONLY_DBMOVED: 'io',
  SQLITE_CANTOPEN: 'io',
  SQLITE_CANTOPEN_ISDIR: 'io',
  SQLITE_CORRUPT: 'corrupt',
  SQLITE_CORRUPT_INDEX: 'corrupt',
  SQLITE_NOTADB: 'corrupt',
  SQLITE_CONSTRAINT_CHECK: undefined,
  SQLITE_TOOBIG: undefined,
  SQLITE_BUSY: undefined,
  SQLITE_ERROR: undefined,
}

describe('a fault of the journal as a whole', () => {
  for (const [code, kind] of Object.entries(KINDS)) {
    it(`is ${kind ?? 'none'} for ${code}`, () => {
      assert.equal(faultOf(Object.assign(new Error('says SQLite'), { code }))?.kind, kind)
    })
  }

  it('is told by errors of ours as by those of SQLite', () => {
    const kinds = (
      [
        'MILLRACE_JOURNAL_IO',
        'MILLRACE_JOURNAL_CORRUPT',
        'MILLRACE_JOURNAL_LOST',
        'MILLRACE_DISK_FULL',
        'MILLRACE_PAYLOAD_CORRUPT',
      ] as const
    ).map((code) => faultOf(new MillraceError(code, 'text'))?.kind)
    assert.deepEqual(kinds, ['io', 'corrupt', 'lost', 'disk-full', undefined])
  })

  it('is told by what SQLite said where a file could not be opened, and by the file system as the disk', () => {
    const kinds = ['SQLITE_ERROR', 'SQLITE_NOMEM', 'SQLITE_IOERR', 'SQLITE_CANTOPEN', 'SQLITE_BUSY', 'EIO'].map(
      (code) => faultOf(fileError(Object.assign(new Error('says SQLite'), { code }), 'jobs.db'))?.kind,
    )
    assert.deepEqual(kinds, [undefined, undefined, 'io', 'io', 'io', 'io'])
  })

  it('is none for what was thrown and is no error', () => {
    assert.deepEqual([null, undefined, 'SQLITE_FULL', 7].map(faultOf), [undefined, undefined, undefined, undefined])
  })
})
