// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { demo } from '../helpers/demo-process.ts'
import { mutant, type Mutation } from '../helpers/mutant.ts'
import { forSuite, RabbitServer } from '../helpers/rabbitmq.ts'
import { scratchFolder } from '../helpers/scratch.ts'

const CHECKS = ['deliveries', 'thumbnails', 'cross-posts', 'jobs']
const FEEDS = /^ok +[\d,]+ deliveries: every follower of every author has each photo exactly once$/m

interface Row {
  readonly task: string
  readonly succeeded: number
  readonly dead: number
  readonly byFirst: number
  readonly bySecond: number
  readonly twice: number
}

/** The table of jobs, as it was printed. */
function rowsOf(stdout: string): readonly Row[] {
  const heads = /^jobs by task +place +succeeded +dead +retries +by worker-1 +by worker-2 +done twice$/m
  assert.match(stdout, heads)
  const rows = stdout.matchAll(/^(\w+\.\w+) +\w+((?: +[\d,]+){6})$/gm)
  return [...rows].map(([, task = '', figures = '']) => {
    const [succeeded, dead, , byFirst, bySecond, twice] = figures
      .trim()
      .split(/ +/)
      .map((text) => Number(text.replaceAll(',', ''))) as [number, number, number, number, number, number]
    return { task, succeeded, dead, byFirst, bySecond, twice }
  })
}

describe('npm run demo with a broker', () => {
  const server = forSuite(() => RabbitServer.start())

  /** What is on the server, by the server's own tool. */
  async function left(): Promise<readonly string[]> {
    const queues = await server().ctl('list_queues', 'name')
    const exchanges = await server().ctl('list_exchanges', 'name')
    return `${queues}\n${exchanges}`.split('\n').filter((name) => name.startsWith('photo-feed-'))
  }

  it('kills a worker, whose jobs go on, and finds everything in its place', { timeout: 240_000 }, async () => {
    const temporary = scratchFolder()
    const { code, stdout, stderr } = await demo(['--quick', '--broker', server().url], temporary).ended
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /kill -9 of worker-1: [1-9]\d* jobs ran there/)
    assert.match(stdout, /^requests +80, \d+\/s, p50 .* p99 /m)
    assert.match(stdout, /^kill -9 of worker-1 +down for [^;]+; [1-9]\d* jobs ran there$/m)
    assert.match(stdout, /^ {2}begun by worker-2 +[1-9]\d*, after p50 /m)
    assert.match(stdout, /^ {2}sent again +0 requests/m)
    const rows = new Map(rowsOf(stdout).map((row) => [row.task, row]))
    assert.deepEqual(
      ['photo.thumbnail', 'feed.deliver', 'photo.share'].map((task) => rows.get(task)?.succeeded),
      [240, 162, 160],
    )
    for (const { task, succeeded, dead, byFirst, bySecond, twice } of rows.values()) {
      assert.deepEqual([byFirst + bySecond - twice, dead], [succeeded, 0], task)
      assert.equal(bySecond > 0, task !== 'feed.deliver', task)
    }
    for (const what of CHECKS) assert.match(stdout, new RegExp(`^ok +[\\d,]+ ${what}: `, 'm'))
    assert.deepEqual(await left(), [])
    assert.deepEqual(readdirSync(temporary), [])
  })

  it('delivers to nobody twice, since the feed store passes over what it has', { timeout: 240_000 }, async () => {
    // What was delivered and not committed runs again: the kill comes in the midst of such a moment, which is a long one.
    const delivered = 'const delivered = feeds.deliver(photo, page.ids);'
    const delivery = "underWay(readDiary(paths.diary(folder, 'worker-1'))).find(({ task }) => task === deliver.name)"
    const lingers: readonly Mutation[] = [
      {
        file: 'examples/photo-feed/feed-handlers.js',
        from: delivered,
        to: `${delivered} if (author === 1) await new Promise((resolve) => setTimeout(resolve, 300));`,
      },
      {
        file: 'examples/photo-feed/kill-worker.js',
        from: /if \(tasks\.includes.*\s+return;/,
        to: `if (Date.now() - ${delivery}?.at > 100) return;`,
      },
      {
        file: 'examples/photo-feed/options.js',
        from: /const QUICK = .*;/,
        to: 'const QUICK = { authors: 10, users: 100_000 };',
      },
    ]
    const forgets: Mutation = {
      file: 'examples/photo-feed/feed-store.js',
      from: /if \(countIn\(lists, start, photo\) > 0\)\s+continue;/,
      to: '',
    }
    const run = async (...mutations: readonly Mutation[]) => {
      using copy = mutant(...mutations)
      return await demo(['--quick', '--broker', server().url], scratchFolder(), copy.folder).ended
    }
    const whole = await run(...lingers)
    assert.equal(whole.code, 0, whole.stdout + whole.stderr)
    assert.match(whole.stdout, FEEDS)
    assert.match(whole.stdout, /^ {2}run again +jobs that found [1-9][\d,]* deliveries done$/m)
    const without = await run(...lingers, forgets)
    assert.equal(without.code, 1, without.stdout + without.stderr)
    assert.match(without.stdout, /^FAILED +[\d,]+ deliveries: /m)
    assert.match(without.stdout, /^ +user \d+ has photo \d+ of author \d+ 2 times$/m)
  })

  it('stops on Ctrl-C while a worker is down, and leaves nothing behind', { timeout: 240_000 }, async () => {
    const temporary = scratchFolder()
    const { child, printed, ended } = demo(['--quick', '--broker', server().url], temporary)
    await printed('kill -9 of worker-1:')
    child.kill('SIGINT')
    const { code, stderr } = await ended
    assert.deepEqual([code, stderr], [130, ''])
    assert.deepEqual(await left(), [])
    assert.deepEqual(readdirSync(temporary), [])
  })
})

describe('npm run demo with a broker that cannot be used', () => {
  /** Runs it with such a URL; it has neither begun nor left anything. */
  async function refusal(url: string): Promise<string> {
    const temporary = scratchFolder()
    const { code, stdout, stderr } = await demo(['--quick', '--broker', url], temporary).ended
    assert.deepEqual([code, stdout], [4, ''], stderr)
    assert.deepEqual(readdirSync(temporary), [])
    return stderr
  }

  /** Somebody who takes connections and never says a word. */
  async function silence(test: TestContext): Promise<number> {
    const mute = createServer((socket) => {
      test.after(() => socket.destroy())
    })
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    test.after(() => mute.close())
    return (mute.address() as AddressInfo).port
  }

  it('says what is wrong with a URL', { timeout: 20_000 }, async () => {
    assert.match(await refusal('http://127.0.0.1'), /^--broker: MILLRACE_INVALID_OPTION: .*amqp:\/\//)
  })

  it('says that nobody is there, or answers', { timeout: 30_000 }, async (test) => {
    const port = await silence(test)
    assert.match(await refusal(`amqp://127.0.0.1:${port}`), /^--broker: no answer within 5 s/)
    assert.match(await refusal('amqp://127.0.0.1:1'), /^--broker: MILLRACE_BROKER_LOST: cannot connect .*ECONNREFUSED/)
  })
})
