import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { MillraceError } from '../../lib/errors.ts'
import { parseWith, type SchemaIssue, type StandardSchemaV1 } from '../../lib/schema.ts'

function failing(...issues: readonly SchemaIssue[]): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
}

describe('a schema', () => {
  const schema = z.object({ user: z.object({ tags: z.array(z.string()) }), size: z.coerce.number().default(5) })

  it('gives what it makes of the value', () => {
    assert.deepEqual(parseWith(schema, { user: { tags: ['a'] }, size: '7' }, 'input', 'input'), {
      user: { tags: ['a'] },
      size: 7,
    })
  })

  it('refuses with the path of the first issue and what the schema says', () => {
    assert.throws(
      () => parseWith(schema, { user: { tags: ['a', 5] } }, 'input', 'input'),
      (error) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'MILLRACE_INPUT_INVALID')
        assert.equal(error.path, 'input.user.tags[1]')
        assert.match(error.message, /input\.user\.tags\[1\]: .*string/)
        return true
      },
    )
    assert.throws(() => parseWith(schema, 5, 'output', 'output'), { code: 'MILLRACE_OUTPUT_INVALID', path: 'output' })
  })

  it('answers at once where it can, and else with a promise', async () => {
    assert.ok(!(parseWith(z.number(), 5, 'input', 'input') instanceof Promise))
    const slow = z.number().refine(async (value) => value > 5)
    const parsed = parseWith(promised(slow), 6, 'input', 'input')
    assert.ok(parsed instanceof Promise)
    assert.equal(await parsed, 6)
    await assert.rejects(async () => parseWith(promised(slow), 4, 'input', 'input'), { code: 'MILLRACE_INPUT_INVALID' })
  })

  it('refuses what it throws at, at once or later, with the error as cause', async () => {
    const thrown = new SyntaxError('no JSON')
    const refusal = { path: 'input', cause: thrown, message: /SyntaxError: no JSON/ }
    const fail = () => {
      throw thrown
    }
    const throwing: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'test', validate: fail } }
    assert.throws(() => parseWith(throwing, 'x', 'input', 'input'), { code: 'MILLRACE_INPUT_INVALID', ...refusal })
    assert.throws(() => parseWith(throwing, 'x', 'output', 'input'), { code: 'MILLRACE_OUTPUT_INVALID', ...refusal })
    const later = parseWith(z.string().transform(fail), 'x', 'input', 'input') as Promise<unknown>
    await assert.rejects(later, { code: 'MILLRACE_INPUT_INVALID', ...refusal })
  })

  it('may answer with a promise of whatever class', async () => {
    const answer = { issues: [{ message: 'no' }] }
    // oxlint-disable-next-line unicorn/no-thenable -- what is tested here
    const thenable = { then: (resolve: (result: unknown) => void) => resolve(answer) }
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => thenable } } as never
    await assert.rejects(parseWith(schema, 1, 'input', 'input') as Promise<unknown>, { code: 'MILLRACE_INPUT_INVALID' })
  })

  it('shows five issues and says how many more there are', () => {
    const issues = Array.from({ length: 7 }, (_, at) => ({ message: `wrong ${at}`, path: ['list', { key: at }] }))
    assert.throws(() => parseWith(failing(...issues), 1, 'input', 'input'), {
      path: 'input.list[0]',
      message: /input\.list\[4\]: wrong 4 \(and 2 more\); mend the input, or the schema$/,
    })
  })

  it('may name a place by a symbol, or none at all', () => {
    const issue = { message: 'wrong', path: [Symbol('x')] }
    assert.throws(() => parseWith(failing(issue), 1, 'input', 'input'), { path: 'input.Symbol(x)' })
    assert.throws(() => parseWith(failing({ message: 'wrong' }), 1, 'input', 'input'), { path: 'input' })
    assert.throws(() => parseWith(failing(), 1, 'input', 'input'), { path: 'input' })
  })
})

/** A schema that answers later, as one with a check over the network does. */
function promised(schema: z.ZodType): StandardSchemaV1 {
  const validate = async (value: unknown) => {
    const result = await schema.safeParseAsync(value)
    return result.success ? { value: result.data } : { issues: result.error.issues }
  }
  return { '~standard': { version: 1, vendor: 'test', validate } }
}
