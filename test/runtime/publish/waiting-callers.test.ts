import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { systemClock } from '../../../lib/clock.ts'
import type { NewJob } from '../../../runtime/journal/owner/gather.ts'
import { Publisher, type PublishSink } from '../../../runtime/publish/publisher.ts'
import { echo } from '../../fixtures/tasks.ts'
import { bytesHeld } from '../../helpers/garbage.ts'
import { built, mutant } from '../../helpers/mutant.ts'

const CALLERS = 25_000
/** 200 bytes as JSON, as in the benches. */
const INPUT = { value: { id: 1, text: 'x'.repeat(172) } }

const MADE_WHOLE = Number.parseInt(process.versions.node, 10) >= 22 && 'V8 makes them in one piece there'

type Encode = typeof import('../../../lib/payload.ts').encodePayload

/** Takes numbers and jobs, and answers nobody. */
class Full implements PublishSink {
  readonly jobs: NewJob[] = []
  readonly refusal = undefined
  #number = 0

  append(job: NewJob): void {
    this.jobs.push(job)
  }

  takeNumber(): number {
    return ++this.#number
  }

  taskIndex(): number {
    return 0
  }

  async learn(): Promise<void> {}
}

/** With what it takes to resolve it. */
function bytesOfPromise(): number {
  const resolves: ((value: number) => void)[] = []
  const before = bytesHeld()
  const promises = Array.from({ length: CALLERS }, () => new Promise<number>((resolve) => resolves.push(resolve)))
  const held = bytesHeld() - before
  for (const resolve of resolves) resolve(0)
  return held / promises.length
}

async function bytesOfInput(root: string): Promise<number> {
  const { encodePayload } = (await import(pathToFileURL(join(root, 'lib/payload.js')).href)) as {
    encodePayload: Encode
  }
  const texts: string[] = new Array<string>(CALLERS).fill('')
  const before = bytesHeld()
  for (let at = 0; at < CALLERS; at++) texts[at] = encodePayload(INPUT, 'input')
  const held = bytesHeld() - before
  return held / texts.length
}

// What they hold is what the collector of young objects copies while the loop stands still.
describe('callers that wait for the journal', () => {
  it('hold little more than a promise and their inputs', async () => {
    const [promise, text] = [bytesOfPromise(), await bytesOfInput(built)]
    const sink = new Full()
    const publisher = new Publisher(sink, systemClock, (number) => number)
    const before = bytesHeld()
    const acknowledged = Array.from({ length: CALLERS }, () => publisher.enqueue(echo, INPUT as never, undefined))
    const bytes = (bytesHeld() - before) / CALLERS
    assert.ok(bytes < promise + text + 110, `${bytes} bytes for each, ${promise} of a promise and ${text} of a text`)
    for (const job of sink.jobs.splice(0)) job.accepted(job.number, 'new')
    assert.equal((await Promise.all(acknowledged)).at(-1), CALLERS)
  })

  it('are refused with what refuses them', async () => {
    const sink = new Full()
    const publisher = new Publisher(sink, systemClock, (number) => number)
    const enqueued = publisher.enqueue(echo, INPUT as never, undefined)
    const error = new Error('no room')
    sink.jobs[0]?.refused(error)
    await assert.rejects(enqueued, (refusal) => refusal === error)
  })

  it('would hold their inputs in pieces, as JSON.stringify makes them', { skip: MADE_WHOLE }, async () => {
    using copy = mutant({ file: 'lib/payload.js', from: 'text.charCodeAt(0)', to: '' })
    const [whole, pieces] = [await bytesOfInput(built), await bytesOfInput(copy.folder)]
    assert.ok(whole < 250 && pieces > 1.15 * whole, `${whole} bytes in one piece, ${pieces} in some`)
  })
})
