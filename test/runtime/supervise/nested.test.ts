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
})
