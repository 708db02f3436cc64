import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import sharp from 'sharp'
import { type Check, checkFeeds, checkJobs, checkShares, checkThumbnails } from '../../examples/photo-feed/check.ts'
import { FeedStore, LIST_LENGTH } from '../../examples/photo-feed/feed-store.ts'
import { FlakyNetwork } from '../../examples/photo-feed/flaky-network.ts'
import { followerCount, followersOf } from '../../examples/photo-feed/followers.ts'
import { planOf } from '../../examples/photo-feed/plan.ts'
import { Progress } from '../../examples/photo-feed/progress.ts'
import { paths } from '../../examples/photo-feed/settings.ts'
import { WIDTHS } from '../../examples/photo-feed/tasks.ts'
import { demo } from '../helpers/demo-process.ts'
import { scratchFolder } from '../helpers/scratch.ts'

const builtFile = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const WRITER = builtFile('../fixtures/feed-writer.js')

interface Test {
  after(clean: () => void): unknown
}

function storeOf(test: Test, users: number): { readonly file: string; readonly store: FeedStore } {
  const file = join(scratchFolder(), 'feeds.bin')
  FeedStore.create(file, users)
  const store = FeedStore.open(file)
  test.after(() => store.close())
  return { file, store }
}

/** Writes a list as no delivery would. */
function overwrite(file: string, user: number, list: readonly number[]): void {
  const descriptor = openSync(file, 'r+')
  const padded = Uint32Array.from({ length: LIST_LENGTH }, (_, at) => list[at] ?? 0)
  writeSync(descriptor, padded, 0, padded.byteLength, user * padded.byteLength)
  closeSync(descriptor)
}

describe('the followers', () => {
  it('come page by page, each once, in the order of their ids', () => {
    const [authors, users, limits] = [fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 5_000 }), fc.nat(99)]
    fc.assert(
      fc.property(authors, users, limits, (author, users, limit) => {
        const ids: number[] = []
        let cursor: number | undefined
        do {
          const page = followersOf(author, users, cursor, limit + 1)
          assert.ok(page.ids.length > 0 && page.ids.length <= limit + 1)
          ids.push(...page.ids)
          cursor = page.cursor
        } while (cursor !== undefined)
        assert.equal(ids.length, followerCount(author, users))
        assert.ok(ids.every((id, at) => id < users && (at === 0 || id > (ids[at - 1] as number))))
      }),
    )
  })

  it('are everybody for the celebrity, and fewer by a power law for the others', () => {
    const counts = [1, 10, 100].map((author) => followerCount(author, 1_000_000))
    assert.deepEqual(counts, [1_000_000, 50_118, 2_511])
  })
})

describe('the feed store', () => {
  it('puts a photo on each list once, the newest first, and drops the oldest', (test) => {
    const { store } = storeOf(test, 2_000)
    const users = Uint32Array.of(0, 1, 700, 1_999)
    assert.equal(store.deliver(1, users), 4)
    assert.equal(store.deliver(1, Uint32Array.of(0, 1_500)), 1)
    for (let photo = 2; photo <= LIST_LENGTH + 1; photo++) store.deliver(photo, users)
    const newest = Array.from({ length: LIST_LENGTH }, (_, at) => LIST_LENGTH + 1 - at)
    assert.deepEqual(
      [...users].map((user) => store.list(user)),
      [newest, newest, newest, newest],
    )
    assert.deepEqual([store.list(2), store.list(1_500)], [[], [1]])
  })

  it('leaves every list whole when its process is killed, and a second delivery completes the first', async (test) => {
    const users = 200_000
    const { file, store } = storeOf(test, users)
    const everybody = Uint32Array.from({ length: users }, (_, user) => user)
    const writer = spawn(process.execPath, [WRITER, file, String(users)], { stdio: 'ignore' })
    test.after(() => writer.kill('SIGKILL'))
    const exited = once(writer, 'exit')
    // Nothing tells when a write begins: looking is what finds the middle of one.
    while ((store.list(0)[0] ?? 0) < 3) await turn()
    writer.kill('SIGKILL')
    await exited

    const newest = store.list(0)[0] as number
    const runFrom = (photo: number) => Array.from({ length: Math.min(photo, LIST_LENGTH) }, (_, at) => photo - at)
    const whole = new Set([runFrom(newest).join(), runFrom(newest - 1).join()])
    const torn = () => everybody.filter((user) => !whole.has(store.list(user).join())).length
    const missing = everybody.filter((user) => store.list(user)[0] !== newest).length
    assert.equal(torn(), 0)
    assert.ok(missing > 0, 'the kill was to be in the middle of a delivery')
    assert.equal(store.deliver(newest, everybody), missing)
    assert.ok(everybody.every((user) => store.list(user).join() === runFrom(newest).join()))

    overwrite(file, 5, [newest, ...runFrom(newest).slice(0, 3)])
    assert.equal(torn(), 1)
  })
})

describe('the check', () => {
  const plan = planOf(10, 2_000)
  const { users, posts } = plan
  const faultless = ({ faults }: Check) => assert.deepEqual(faults, [])

  function delivered(test: Test) {
    const { file, store } = storeOf(test, users)
    for (const { photo, author } of posts) store.deliver(photo, followersOf(author, users, undefined, users).ids)
    faultless(checkFeeds(file, users, posts))
    return { file, list: store.list(7) }
  }

  it('finds a delivery that is missing', (test) => {
    const { file, list } = delivered(test)
    overwrite(file, 7, list.slice(1))
    const [fault = '', total = ''] = checkFeeds(file, users, posts).faults
    assert.match(fault, new RegExp(`^user 7 has photo ${list[0]} of author \\d+ 0 times$`))
    assert.match(total, /^the lists hold \d+ photos, expected \d+$/)
  })

  it('finds a delivery that was made twice', (test) => {
    const { file, list } = delivered(test)
    overwrite(file, 7, [list[0] as number, ...list])
    assert.match(checkFeeds(file, users, posts).faults[0] ?? '', /^user 7 has photo \d+ of author \d+ 2 times$/)
  })

  it('finds a photo on the list of somebody who does not follow its author', (test) => {
    const { file, list } = delivered(test)
    overwrite(file, 7, [...list, 9_999])
    assert.equal(checkFeeds(file, users, posts).faults.length, 1)
  })

  it('finds thumbnails that are missing, cut off, or of another width', async () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'thumbnails'))
    const draw = (width: number, file: string) =>
      sharp({
        create: { width, height: width, channels: 3, background: 'teal', noise: { type: 'gaussian', sigma: 30 } },
      })
        .jpeg()
        .toFile(file)
    const [large, middle, small] = WIDTHS.map((width) => paths.thumbnail(folder, 1, width)) as [string, string, string]
    const shot = [{ photo: 1, author: 1 }]
    await Promise.all(WIDTHS.map((width) => draw(width, paths.thumbnail(folder, 1, width))))
    faultless(await checkThumbnails(folder, shot))
    truncateSync(large, 20_000)
    unlinkSync(middle)
    await draw(99, small)
    const { faults } = await checkThumbnails(folder, shot)
    assert.deepEqual(
      [large, middle, small].map((file) => faults.filter((fault) => fault.startsWith(`${file}: `)).length),
      [1, 1, 1],
    )
  })

  it('finds a cross-post that was never accepted', () => {
    const all = new Map(posts.flatMap(({ photo }) => [`/postcard/${photo}`, `/billboard/${photo}`]).map((p) => [p, 1]))
    faultless(checkShares(all.set('/postcard/2', 2), posts))
    assert.match(checkShares(all, posts).what, /1 of them more than once/)
    all.delete('/billboard/3')
    assert.deepEqual(checkShares(all, posts).faults, ['/billboard/3 was never accepted'])
  })

  it('finds a job too many, and a dead one', () => {
    const report = (succeeded: number, dead: number) => ({
      tasks: [...plan.jobs].map(([task, count]) => ({
        task,
        place: 'somewhere',
        succeeded: task === 'feed.deliver' ? count + succeeded : count,
        dead: task === 'feed.deliver' ? dead : 0,
        retries: 0,
      })),
      lastFollowerAt: {},
      already: 0,
    })
    faultless(checkJobs(plan.jobs, report(0, 0)))
    assert.equal(checkJobs(plan.jobs, report(1, 0)).faults.length, 1)
    assert.equal(checkJobs(plan.jobs, report(0, 1)).faults.length, 1)
  })
})

describe('the flaky network', () => {
  it('fails often, never four times in a row, and may accept without saying so', async () => {
    await using network = await FlakyNetwork.start()
    const post = async (path: string) => {
      for (let tries = 1; ; tries++) {
        const isAccepted = await fetch(network.url + path, { method: 'POST', body: '{}' }).then(
          ({ ok }) => ok,
          () => false,
        )
        if (isAccepted) return tries
      }
    }
    const tries = await Promise.all(Array.from({ length: 200 }, (_, at) => post(`/postcard/${at}`)))
    assert.equal(network.accepted.size, 200)
    assert.equal(
      network.failed,
      tries.reduce((sum, each) => sum + each - 1, 0),
    )
    assert.deepEqual([Math.min(...tries), Math.max(...tries)], [1, 4])
    assert.ok([...network.accepted.values()].some((times) => times > 1))
  })
})

describe('the progress', () => {
  const plan = planOf(10, 2_000)

  function screenOf(columns: number | undefined) {
    const texts: string[] = []
    const screen = { ...(columns !== undefined && { isTTY: true, columns }), write: (text: string) => texts.push(text) }
    return { texts, progress: new Progress(plan, screen) }
  }

  const UP = { stats: [], text: '0 jobs unfinished' }
  const DOWN = { stats: [], text: 'the service is down' }

  /** Moves to where a text began, which has not been wrapped. */
  const up = (text: string) => `\x1b[${text.split('\n').length - 1}A`

  it('draws bars over the ones before, and never a line that the terminal would wrap', () => {
    for (const columns of [40, 80, 200]) {
      const { texts, progress } = screenOf(columns)
      progress.show(3, UP)
      progress.show(4, DOWN)
      const [first = '', second = ''] = texts
      const lines = first.split('\n')
      assert.ok(lines.every((line) => stripVTControlCharacters(line).length < columns))
      assert.ok(second.startsWith(`${up(first)}\r`))
      assert.match(second, /the service is down/)
    }
  })

  it('puts what happens above the bars, which are drawn anew below it', () => {
    const { texts, progress } = screenOf(80)
    progress.show(3, UP)
    progress.tell('killed', 'bad')
    progress.show(3, UP)
    const [bars = '', clearing = '', line = '', anew = ''] = texts
    assert.equal(clearing, `${up(bars)}\r\x1b[J`)
    assert.match(stripVTControlCharacters(line), /^ +0\.\d s {2}killed\n$/)
    assert.ok(!anew.includes(up(bars)))
  })

  it('is a plain line where there is no terminal, and not more than one a second', () => {
    const { texts, progress } = screenOf(undefined)
    progress.show(3, UP)
    progress.show(4, UP)
    assert.equal(texts.length, 1)
    assert.match(texts[0] ?? '', /^ +0\.\d s {2}posts 3\/20 {2}photo\.thumbnail 0\/60 .* 0 jobs unfinished\n$/)
  })
})

describe('npm run demo', () => {
  const CHECKS = ['deliveries', 'thumbnails', 'cross-posts', 'jobs']

  it('kills the service half-way, starts it again and finds everything in its place', async () => {
    const temporary = scratchFolder()
    const { code, stdout, stderr } = await demo(['--quick'], temporary).ended
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /kill -9: \d+ jobs are unfinished/)
    assert.match(stdout, /started again in \d+ ms: [1-9]\d* unfinished jobs in the journal/)
    assert.match(stdout, /^requests +80, \d+\/s, p50 .* p99 /m)
    assert.match(stdout, /^photo\.thumbnail +default +240 +0 +0$/m)
    assert.match(stdout, /^feed\.deliver +feed +162 +0 +0$/m)
    assert.match(stdout, /^photo\.share +network +160 +0 +[1-9]\d*$/m)
    for (const what of CHECKS) assert.match(stdout, new RegExp(`^ok +[\\d,]+ ${what}: `, 'm'))
    assert.deepEqual(readdirSync(temporary), [])
  })

  it('posts the pictures of a folder, and keeps its files where it is told to', async () => {
    const [temporary, photos] = [scratchFolder(), scratchFolder()]
    await sharp({ create: { width: 200, height: 100, channels: 3, background: 'teal' } }).toFile(join(photos, 'a.png'))
    writeFileSync(join(photos, 'broken.jpg'), 'no picture')
    mkdirSync(join(photos, 'folder.jpg'))
    const folder = join(temporary, 'kept')
    const { code, stdout } = await demo(['--quick', '--no-kill', '--photos', photos, '--folder', folder], temporary)
      .ended
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^left out: broken\.jpg: .*unsupported image format$/m)
    assert.doesNotMatch(stdout, /kill -9/)
    assert.equal((await sharp(paths.thumbnail(folder, 80, 320)).metadata()).height, 160)
    assert.ok(existsSync(paths.journal(folder)))
    const again = await demo(['--quick', '--folder', folder], temporary).ended
    assert.equal(again.code, 1)
    assert.match(again.stderr, /is not empty/)
  })

  it('stops on Ctrl-C and leaves nothing behind', async () => {
    const temporary = scratchFolder()
    const { child, printed, ended } = demo(['--quick', '--no-kill'], temporary)
    await printed('posts ')
    child.kill('SIGINT')
    assert.equal((await ended).code, 130)
    assert.deepEqual(readdirSync(temporary), [])
  })

  it('stops when nobody reads on, and leaves nothing behind', async () => {
    const temporary = scratchFolder()
    const { child, printed, ended } = demo(['--quick', '--no-kill'], temporary)
    await printed('posts ')
    child.stdout.destroy()
    assert.equal((await ended).code, 130)
    assert.deepEqual(readdirSync(temporary), [])
  })

  it('refuses what it does not understand', async () => {
    const folder = scratchFolder()
    const unknown = await demo(['--fast'], folder).ended
    assert.deepEqual([unknown.code, /--fast/.test(unknown.stderr)], [1, true])
    const empty = await demo(['--quick', '--photos', folder], folder).ended
    assert.equal(empty.code, 1)
    assert.match(empty.stderr, /^no picture in .*; expected files that end in \.jpg/)
    assert.match((await demo(['--help'], folder).ended).stdout, /--no-kill/)
  })
})
