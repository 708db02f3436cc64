import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsed } from '../../../adapters/cli/run/line-input.ts'

function parse(text: string): unknown {
  return parsed({ number: 1, text, encoding: 'utf8' })
}

describe('a line of the input', () => {
  it('is refused where an integer of it would be changed, and told as what to pass it', () => {
    for (const text of [
      '12345678901234567890',
      '-9007199254740993',
      '[{"id":9007199254740993}]',
      '{"a\\\\":9007199254740993}',
    ]) {
      assert.throws(() => parse(text), { code: 'MILLRACE_OPAQUE_INPUT', message: /pass it as a string: "-?\d+"$/ })
    }
  })

  it('is what JSON says where no integer of it would be', () => {
    const texts = [
      '9007199254740991',
      '-9007199254740992',
      '1152921504606846976',
      '"12345678901234567890"',
      '{"12345678901234567890":"\\"12345678901234567890"}',
      '0.12345678901234567890',
      '1.5e300',
    ]
    for (const text of texts) assert.deepEqual(parse(text), JSON.parse(text))
  })

  it('is what JSON says for any value that JSON has written', () => {
    const isSmall = (text: string) => !/\d{16}/.test(text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"/g, ''))
    fc.assert(
      fc.property(fc.json().filter(isSmall), (text) => {
        assert.deepEqual(parse(text), JSON.parse(text))
      }),
    )
  })

  it('is looked at in no time, however long it is', () => {
    const text = JSON.stringify(['\\"1234567890123456'.repeat(50_000)])
    assert.deepEqual(parse(text), JSON.parse(text))
  })
})
