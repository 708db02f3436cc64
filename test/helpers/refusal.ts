import assert from 'node:assert/strict'
import { MillraceError } from '../../lib/errors.ts'

/** For `assert.throws`: an error of Millrace with this code and path, and all words in its message. */
export function refusal(code: string, path: string | undefined, ...words: readonly string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof MillraceError)
    assert.equal(error.code, code)
    assert.equal(error.path, path)
    for (const word of words) assert.ok(error.message.includes(word), `${word} is not in: ${error.message}`)
    return true
  }
}
