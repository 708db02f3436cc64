import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startNode } from '../../helpers/node-process.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

describe('a service that is its own tasks module', () => {
  it('is told so in the service, instead of starting threads without end', async (test) => {
    const service = new URL('../../fixtures/nested-service.js', import.meta.url)
    const { child, exited } = startNode(test, service, join(scratchFolder(), 'jobs.db'))
    let starts = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      starts += chunk.toString().split('a service starts').length - 1
    })
    const { code, errors } = await exited
    assert.equal(code, 1)
    assert.match(errors, /MILLRACE_NESTED_RUNTIME: createRuntime was called in a thread of a runtime/)
    assert.match(errors, /put tasks and handlers into a module that does not import the service/)
    assert.ok(starts >= 2 && starts <= 1 + 2 * 4, `it was started ${starts} times`)
  })

  const own = new URL('../../fixtures/own-tasks-service.js', import.meta.url)

  it('is told so soon where its top-level await waits for a lane on its own loop', {
    timeout: 30_000,
  }, async (test) => {
    const { code, errors } = await startNode(test, own, 'awaited').exited
    assert.equal(code, 1)
    assert.match(errors, /MILLRACE_TASKS_MODULE: the tasks module file:.*own-tasks-service\.js has not been evaluated/)
  })

  it('is told so soon, also where another module has started the process, since its threads find out', {
    timeout: 30_000,
  }, async (test) => {
    const indirect = new URL('../../fixtures/indirect-service.js', import.meta.url)
    const { code, errors } = await startNode(test, indirect).exited
    assert.equal(code, 1)
    assert.match(errors, /MILLRACE_NESTED_RUNTIME: createRuntime was called in a thread of a runtime/)
  })

  it('runs where nothing but a function waits for the runtime, with lanes on its own loop only', async (test) => {
    const { line, exited } = startNode(test, own, 'called')
    await line('hello')
    assert.deepEqual(await exited, { code: 0, signal: null, errors: '' })
  })
})
