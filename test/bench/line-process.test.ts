import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LineProcess } from '../../bench/line-process.ts'

const ECHO = `
  const { createInterface } = require('node:readline')
  console.log('ready')
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'die') throw new Error('it was told to')
    console.log(line + ' heard')
  })`

describe('a process that is asked in lines', () => {
  it('has answered when it is started, answers in order, and ends with its input', async () => {
    const echo = await LineProcess.start(process.execPath, ['-e', ECHO])
    assert.equal(await echo.ask('first'), 'first heard')
    assert.equal(await echo.ask('second'), 'second heard')
    await echo[Symbol.asyncDispose]()
  })

  it('says why it has died, to who waits and to who asks then', async () => {
    await using echo = await LineProcess.start(process.execPath, ['-e', ECHO])
    await assert.rejects(echo.ask('die'), /ended with 1: [\s\S]*it was told to/)
    await assert.rejects(echo.ask('first'), /ended with 1/)
  })

  it('cannot be started where there is no such program', async () => {
    await assert.rejects(LineProcess.start('no-such-program', []), /no-such-program ended with .*ENOENT/)
  })
})
