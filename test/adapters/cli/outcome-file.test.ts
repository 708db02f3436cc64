import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LineSet } from '../../../adapters/cli/run/line-set.ts'
import { openOutcomes, readWritten } from '../../../adapters/cli/run/outcome-file.ts'
import { succeededLine } from '../../../adapters/cli/run/outcome-line.ts'
import { scratch } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

const TORN = `${succeededLine(1, 'a')}\n${succeededLine(2, 'b')}\n${succeededLine(3, 'c').slice(0, 20)}`

describe('the output of a run', () => {
  it('goes on behind the last whole line, whatever a kill has left of the next', async (test) => {
    for (let end = TORN.lastIndexOf('\n') + 1; end <= TORN.length; end++) {
      const path = join(scratch(test), 'out')
      writeFileSync(path, TORN.slice(0, end))
      const written = await readWritten(path)
      assert.ok(written.has(1) && written.has(2) && !written.has(3))
      const file = await openOutcomes(path, written, new LineSet())
      await file.append([succeededLine(3, 'c')])
      await file.close()
      assertEachOnce(readOutcomes(path), 3)
    }
  })

  it('would hold a line that is none if the torn end stayed (control)', () => {
    assert.throws(() => parseOutcomes(`${TORN}${succeededLine(3, 'c')}\n`))
  })

  it('leaves out lines that are superseded', async (test) => {
    const path = join(scratch(test), 'out')
    writeFileSync(path, TORN)
    const superseded = new LineSet()
    superseded.add(1)
    const written = await readWritten(path)
    const file = await openOutcomes(path, written, superseded)
    await file.append([succeededLine(1, 'new')])
    await file.close()
    assert.ok(!written.has(1), 'it has to be written again')
    assert.deepEqual(
      readOutcomes(path).map(({ result }) => result),
      ['new', 'b'],
    )
  })

  it('takes a file of other content, or with a line twice, for somebody else’s', async (test) => {
    const path = join(scratch(test), 'out')
    for (const text of ['{"n":1}\n', 'text\n', `${succeededLine(1, 'a')}\n${succeededLine(1, 'a')}\n`]) {
      writeFileSync(path, text)
      await assert.rejects(readWritten(path), { code: 'MILLRACE_CLI', path: '--output' })
      assert.equal(readFileSync(path, 'utf8'), text)
    }
    writeFileSync(path, '')
    appendFileSync(path, succeededLine(1, 'a'))
    assert.equal((await readWritten(path)).bytes, 0)
  })
})
