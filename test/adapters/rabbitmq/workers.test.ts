// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { controlQueues } from '../../../lib/control-message.ts'
import { replyQueueOf } from '../../../lib/envelope.ts'
import type { ErrorRecord } from '../../../lib/error-record.ts'
import { Database } from '../../../runtime/index.ts'
import { killer, work } from '../../fixtures/across-worker-tasks.ts'
import { shout } from '../../fixtures/across-tasks.ts'
import { bootNode } from '../../helpers/boot-node.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { anyRabbit, forSuite, RabbitServer } from '../../helpers/rabbitmq.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { type SharedRabbit, sharedRabbit, sharedRabbits } from '../../helpers/shared-rabbit.ts'
import { until } from '../../helpers/until.ts'

const script = fileURLToPath(new URL('../../fixtures/across-worker.js', import.meta.url))
const TIMEOUT = { timeoutMs: 60_000 }

const REPLY = { kind: 'reply', expiresMs: 1, most: 1 } as const

/** The name of a node, as its journal has it; nothing where it was killed before it had one. */
function nodeOf(file: string): readonly string[] {
  if (!existsSync(file)) return []
  const db = new Database(file, { readonly: true })
  try {
    return [
      JSON.parse(
        db.prepare("SELECT value FROM millrace_settings WHERE name = 'node'").pluck().get() as string,
      ) as string,
    ]
  } catch (error) {
    if (/no such table|Unexpected|not valid JSON/.test(String(error))) return []
    throw error
  } finally {
    db.close()
  }
}

/** Worker processes that write what they do into one file. */
class Workers {
  readonly ledger = join(scratchFolder(), 'ledger')
  readonly #args: readonly string[]
  readonly #files = new Set<string>()
  readonly #alive = new Set<ChildProcess>()
  #status: 'open' | 'closed' = 'open'
  deaths = 0

  constructor(test: TestContext, url: string, shared: SharedRabbit) {
    this.#args = [url, shared.prefix]
    test.after(() => {
      this.#status = 'closed'
      for (const child of this.#alive) child.kill('SIGKILL')
      for (const node of [...this.#files].flatMap(nodeOf)) {
        shared.specs.push({ ...REPLY, name: replyQueueOf(node) }, ...controlQueues(node))
      }
    })
  }

  get lines(): string[][] {
    return ledgerLines(this.ledger)
  }

  /** Started again whenever it dies, on the same journal. */
  keep(file = join(scratchFolder(), 'jobs.db')): void {
    this.#files.add(file)
    const child = spawn(process.execPath, [script, ...this.#args, file], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...process.env, MILLRACE_LEDGER: this.ledger },
    })
    this.#alive.add(child)
    child.once('exit', () => {
      this.#alive.delete(child)
      this.deaths++
      if (this.#status === 'open') this.keep(file)
    })
  }

  pids(): readonly number[] {
    return [...this.#alive].map(({ pid }) => pid as number)
  }
}

describe('workers that die', () => {
  const share = sharedRabbits()
  const server = forSuite(anyRabbit)

  it('leave their jobs to others, and none is lost', { timeout: 120_000 }, async (test) => {
    const shared = share(server().url)
    const { runtime } = await bootNode(test, shared(), { role: 'publisher' })
    const workers = new Workers(test, server().url, shared)
    for (let at = 0; at < 2; at++) workers.keep()
    const jobs = await Promise.all(Array.from({ length: 60 }, () => runtime.enqueue(work, { ms: 200 })))
    const results = Promise.all(jobs.map((job) => job.result(TIMEOUT)))
    await until(
      'both work',
      () => new Set(workers.lines.map(([, , pid]) => pid)).size,
      (count) => count === 2,
    )
    const victim = workers.pids()[0] as number
    process.kill(victim, 'SIGKILL')
    await results
    const started = new Set(workers.lines.filter(([what]) => what === 'start').map(([, id]) => id))
    const ended = new Set(workers.lines.filter(([what]) => what === 'end').map(([, id]) => id))
    assert.deepEqual([started.size, ended.size, workers.deaths], [60, 60, 1])
  })

  it('lose nothing while they die in turn, and who enqueues is started anew', { timeout: 240_000 }, async (test) => {
    const shared = share(server().url)
    const workers = new Workers(test, server().url, shared)
    for (let at = 0; at < 3; at++) workers.keep()
    const ended = new Map<string, number>()
    const journal = { file: join(scratchFolder(), 'jobs.db') }
    const boot = async () => {
      const { runtime } = await bootNode(test, shared(), { role: 'publisher', journal })
      runtime.on('job.succeeded', ({ id }) => void ended.set(id, (ended.get(id) ?? 0) + 1))
      return runtime
    }
    let runtime = await boot()
    const ids: string[] = []
    for (let round = 1; round <= 24; round++) {
      const jobs = Array.from({ length: 20 }, (_, at) => runtime.enqueue(work, { ms: 5 * at }))
      for (const { id } of await Promise.all(jobs)) ids.push(id)
      await new Promise((resolve) => setTimeout(resolve, 200))
      const [victim] = workers.pids().slice(round % 3)
      if (round % 4 === 0 && victim !== undefined) process.kill(victim, 'SIGKILL')
      if (round % 10 !== 0) continue
      await runtime.stop()
      runtime = await boot()
    }
    await until(
      'all have come home',
      () => ids.filter((id) => !ended.has(id)).length,
      (open) => open === 0,
    )
    const ran = new Set(workers.lines.filter(([what]) => what === 'end').map(([, id]) => id))
    assert.deepEqual([ran.size, ended.size, Math.max(...ended.values())], [480, 480, 1])
    assert.ok(workers.deaths >= 5, `${workers.deaths} deaths`)
  })

  it('find the job that kills them all, and go on without it', { timeout: 240_000 }, async (test) => {
    const shared = share(server().url)
    const { runtime } = await bootNode(test, shared(), { role: 'publisher' })
    const workers = new Workers(test, server().url, shared)
    for (let at = 0; at < 2; at++) workers.keep()
    const dead = nextEvent(runtime, 'job.dead', { timeoutMs: 200_000 })
    const poison = await runtime.enqueue(killer, null)
    const others = await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(work, { ms: 50 })))
    const { id, error } = await dead
    assert.deepEqual([id, (error as ErrorRecord).code], [poison.id, 'MILLRACE_POISON'])
    await Promise.all(others.map((job) => job.result(TIMEOUT)))
    // Three deaths of workers; in its trial it takes processes down that have nothing else.
    const kills = workers.lines.filter(([what]) => what === 'kill')
    assert.deepEqual([workers.deaths, kills.length], [3, 5], kills.join('; '))
  })
})

describe('a broker that dies', () => {
  const server = forSuite(() => RabbitServer.start())

  it('holds up nobody who enqueues, and gets everything when it is back', { timeout: 240_000 }, async (test) => {
    const shared = sharedRabbit(server().url, { publishTimeoutMs: 2_000 })
    const { runtime } = await bootNode(test, shared())
    assert.equal((await (await runtime.enqueue(shout, { text: 'before' })).result(TIMEOUT)).text, 'BEFORE')
    // A younger quorum queue finds no leader after a kill.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const down = nextEvent(runtime, 'broker.down', { timeoutMs: 20_000 })
    await server().kill()
    await down
    const before = performance.now()
    const jobs = await Promise.all(Array.from({ length: 2_000 }, (_, at) => runtime.enqueue(shout, { text: `a${at}` })))
    const tookMs = performance.now() - before
    assert.ok(tookMs < 5_000, `2,000 jobs took ${tookMs} ms`)
    await server().start()
    const results = await Promise.all(jobs.map((job) => job.result(TIMEOUT)))
    assert.deepEqual(
      results.map(({ text }) => text),
      jobs.map((_, at) => `A${at}`),
    )
  })

  it('does not hold up a runtime that starts', { timeout: 240_000 }, async (test) => {
    const shared = sharedRabbit(server().url)
    await server().kill()
    const { runtime } = await bootNode(test, shared())
    const job = await runtime.enqueue(shout, { text: 'early' })
    await server().start()
    assert.equal((await job.result(TIMEOUT)).text, 'EARLY')
  })
})
