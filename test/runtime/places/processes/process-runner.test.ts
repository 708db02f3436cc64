import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collectTasks } from '../../../../lib/collect-tasks.ts'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { defineTask } from '../../../../lib/task.ts'
import type { AttemptHost } from '../../../../runtime/places/attempt/attempt-context.ts'
import { Handlers } from '../../../../runtime/places/attempt/handlers.ts'
import type { FromProcess } from '../../../../runtime/places/processes/process-protocol.ts'
import { ProcessRunner } from '../../../../runtime/places/processes/process-runner.ts'

/** A runner of one task; what it sends, and what it does at each start. */
function runnerOf(begin: () => void) {
  const sent: FromProcess[] = []
  const work = defineTask({ name: 'work', run: (_input: null): void => {} })
  const runner = new ProcessRunner({
    handlers: new Handlers(collectTasks([{ url: 'file:tasks', exports: { work } }])),
    host: {} as AttemptHost,
    starts: { begin },
    clock: new ManualClock(),
    send: (message) => void sent.push(message),
    memoryBytes: () => 0,
    attribute: (_context, run) => run(),
  })
  runner.run({ number: 1, task: 'work', claim: 1, attempt: 0, input: 'null', overrides: null, start: 0 })
  return sent.map((message) => (message.type === 'ended' ? message.outcome.type : message.type))
}

describe('the runner of a process', () => {
  it('says that its job has begun, and how it has ended', () => {
    assert.deepEqual(
      runnerOf(() => {}),
      ['begun', 'succeeded'],
    )
  })

  it('ends a job as failed whose start cannot be noted, as on a disk that is full', () => {
    const full = () => {
      throw new Error('ENOSPC: no space left on device, write')
    }
    assert.deepEqual(runnerOf(full), ['failed'])
  })
})
