import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { JobExtra } from '../../../lib/job.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { InboxGroup, ToInbox } from '../../../runtime/journal/inbox/inbox-thread-main.ts'
import { InboxSink } from '../../../runtime/publish/inbox-sink.ts'

/** A sink whose groups are caught. */
function sinkOf() {
  const groups: InboxGroup[] = []
  const sink = new InboxSink(new ManualClock(7), (message: ToInbox) => void groups.push(message as InboxGroup))
  const heard: (number | string)[] = []
  const append = (input: string, extra: JobExtra | null = null) => {
    const task = sink.taskIndex('echo')
    const refused = (error: unknown) => void heard.push((error as { code: string }).code)
    sink.append({ number: -1, task, input, extra, accepted: (number) => void heard.push(number), refused })
  }
  return { sink, groups, heard, append, sizes: () => groups.map(({ inputs }) => inputs.length) }
}

describe('what is published into the journal of another process', () => {
  it('gathers while a group is written, in groups of so many jobs', async () => {
    const { sink, sizes, heard, append } = sinkOf()
    for (let at = 0; at < 1_500; at++) append('1')
    await turn()
    append('1')
    assert.deepEqual(sizes(), [1_000])
    sink.written(10)
    assert.deepEqual([sizes(), heard.length, heard[0], heard.at(-1)], [[1_000, 501], 1_000, 10, 1_009])
  })

  it('goes in groups of so many bytes too', async () => {
    const { sink, sizes, append } = sinkOf()
    const large = 'x'.repeat(100 * 1024)
    for (let at = 0; at < 4; at++) append(large)
    append('1')
    await turn()
    sink.written(1)
    assert.deepEqual(sizes(), [3, 2])
    for (let at = 0; at < 4; at++) append('1', { overrides: large })
    await turn()
    sink.written(4)
    sink.written(6)
    assert.deepEqual(sizes(), [3, 2, 3, 1])
  })

  it('is of unknown outcome where it is under way at the end, and refused where it is not', async () => {
    const { sink, heard, append } = sinkOf()
    append('1')
    await turn()
    append('2')
    sink.end(Object.assign(new Error('over'), { code: 'E_OVER' }))
    append('3')
    assert.deepEqual(heard, ['MILLRACE_OUTCOME_UNKNOWN', 'E_OVER', 'E_OVER'])
    await sink.quiet()
  })
})
