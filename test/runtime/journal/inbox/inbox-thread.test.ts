import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { join } from 'node:path'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { FromInbox, InboxThreadData, ToInbox } from '../../../../runtime/journal/inbox/inbox-thread-main.ts'
import { openJournal } from '../../../../runtime/journal/open.ts'
import type { ProbedCommit } from '../../../fixtures/probed-inbox-thread.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

it('the thread of a publisher syncs each of its commits to the disk', { timeout: 20_000 }, async (test) => {
  const file = join(scratchFolder(), 'jobs.db')
  openJournal({ file, durability: 'full', keepEndedMs: 1_000 }, 1).close()
  const workerData: InboxThreadData = { file }
  const worker = new Worker(new URL('../../../fixtures/probed-inbox-thread.js', import.meta.url), { workerData })
  test.after(() => worker.terminate())
  await once(worker, 'message')
  const heard: (FromInbox | ProbedCommit)[] = []
  const messages = on(worker, 'message', { close: ['exit'] })
  const group: ToInbox = { type: 'group', tasks: ['echo'], inputs: ['1'], options: [null], createdAt: 1 }
  for (const message of [group, group, { type: 'close' } satisfies ToInbox]) worker.postMessage(message)
  for await (const [message] of messages) heard.push(message as FromInbox | ProbedCommit)
  const synced = heard.flatMap((message) => (message.type === 'committed' ? [message.synchronous] : []))
  const written = heard.filter(({ type }) => type === 'written')
  assert.deepEqual([synced, written.length], [[2, 2], 2])
})
