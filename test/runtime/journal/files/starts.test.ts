import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createStarts, readStarts, StartsWriter } from '../../../../runtime/journal/files/starts.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

const RECORDS = 10_000
const EPOCH = 3

/** A file where a journal would be. */
function journalFile(): string {
  const file = join(scratchFolder(), 'jobs.db')
  writeFileSync(file, '')
  return file
}

describe('the file of starts', () => {
  it('has its room on the disk before any job starts', () => {
    const path = createStarts(journalFile(), EPOCH, RECORDS)
    const { size, blocks } = statSync(path)
    assert.ok(size >= RECORDS * 16 && blocks * 512 >= size, `${blocks} blocks for ${size} bytes`)
  })

  it('says of every record what began there last, to the next owner', () => {
    const file = journalFile()
    const writer = new StartsWriter(createStarts(file, EPOCH, RECORDS), 10)
    writer.begin(0, 7, 1)
    writer.begin(RECORDS - 11, 8, 2)
    writer.begin(0, 9, 1)
    writer.close()
    const begun = readStarts(file, EPOCH)
    assert.deepEqual(
      [begun?.has(7, 1), begun?.has(8, 2), begun?.has(9, 1), begun?.has(9, 2)],
      [false, true, true, false],
    )
    assert.equal(readStarts(file, EPOCH + 1), undefined)
  })

  it('knows a later claim of a job wherever the earlier one has begun', () => {
    const file = journalFile()
    const path = createStarts(file, EPOCH, RECORDS)
    const writers = [new StartsWriter(path, 0), new StartsWriter(path, 100)] as const
    writers[1].begin(0, 7, 1)
    writers[0].begin(0, 7, 2)
    writers[0].begin(1, 8, 1)
    writers[1].begin(1, 8, 2)
    for (const writer of writers) writer.close()
    const begun = readStarts(file, EPOCH)
    assert.deepEqual([begun?.has(7, 2), begun?.has(8, 2)], [true, true])
  })

  it('charges nobody for a death of the machine, which may have been before it was on the disk', () => {
    const file = journalFile()
    const path = createStarts(file, EPOCH, RECORDS)
    const writer = new StartsWriter(path, 0)
    writer.begin(0, 7, 1)
    writer.close()
    assert.equal(readStarts(file, EPOCH)?.has(7, 1), true)
    const content = readFileSync(path)
    // Of another start of the machine.
    content.write('00000000-0000-4000-8000-000000000000', 16, 'latin1')
    writeFileSync(path, content)
    assert.equal(readStarts(file, EPOCH), undefined)
  })
})
