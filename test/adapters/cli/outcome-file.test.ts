import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
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

  /** Opens an output whose first line is superseded. */
  async function superseding(path: string): Promise<void> {
    const superseded = new LineSet()
    superseded.add(1)
    const file = await openOutcomes(path, await readWritten(path), superseded)
    await file.close()
  }

  it('stays the link that it is, and keeps its rights', async (test) => {
    const folder = scratch(test)
    const [path, target] = [join(folder, 'out'), join(folder, 'real')]
    writeFileSync(target, TORN)
    chmodSync(target, 0o664)
    symlinkSync('real', path)
    await superseding(path)
    assert.ok(lstatSync(path).isSymbolicLink())
    assert.equal(statSync(target).mode & 0o777, 0o664)
    assert.equal(readFileSync(target, 'utf8'), `${succeededLine(2, 'b')}\n`)
  })

  it('takes no file for a part of it that holds anything else', async (test) => {
    const path = join(scratch(test), 'out')
    const [first, second] = [succeededLine(1, 'a'), succeededLine(2, 'b')]
    for (const mine of ['mine', 'mine\n', `${second}\n${first}\n`, `${second}\n${second}\n`]) {
      writeFileSync(path, TORN)
      writeFileSync(`${path}.part`, mine)
      await assert.rejects(superseding(path), {
        code: 'MILLRACE_CLI',
        path: '--output',
        message: /out\.part is in the way/,
      })
      assert.equal(readFileSync(`${path}.part`, 'utf8'), mine)
      assert.equal(readFileSync(path, 'utf8'), TORN)
    }
    for (const ours of ['', second.slice(0, 30), `${second}\n`]) {
      writeFileSync(path, TORN)
      writeFileSync(`${path}.part`, ours)
      await superseding(path)
      assert.deepEqual(readdirSync(dirname(path)), ['out'])
    }
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
