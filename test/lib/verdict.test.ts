import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  BEAT_MS,
  HANGS_MS,
  type Reading,
  SILENT_MS,
  type Standing,
  type ThreadState,
  type Verdict,
  verdictOf,
} from '../../lib/verdict.ts'

const NOW = 10_000

interface Case {
  readonly silentMs?: number
  readonly windowMs?: number
  readonly busy?: number
  /** Shares of the window; `null` where the system does not tell. */
  readonly processor?: number | null
  readonly queued?: number | null
  readonly state?: ThreadState
  readonly standing?: Partial<Standing>
}

const serving: Standing = { status: 'serving', toldToEndMs: undefined, longestMs: undefined }
const running = (longestMs = 1_000) => ({ longestMs })

function judged({
  silentMs = 0,
  windowMs = BEAT_MS,
  busy = 0,
  processor = 0,
  queued = 0,
  state = 'asleep',
  standing,
}: Case): Verdict {
  const from = NOW - windowMs
  const sum = (share: number | null, at: number) => (share === null ? undefined : 500 + share * (at - from))
  const reading = (at: number): Reading => ({
    at,
    beatAt: NOW - silentMs,
    activeMs: sum(busy, at),
    processorMs: sum(processor, at),
    queuedMs: sum(queued, at),
    state,
  })
  return verdictOf(reading(from), reading(NOW), { ...serving, ...standing })
}

const silent = { silentMs: 500, busy: 1 }

const table: readonly (readonly [what: string, verdict: Verdict, of: Case])[] = [
  ['nothing runs', 'idle', {}],
  ['nothing runs, and its loop is busy with something else', 'idle', { busy: 1, processor: 1 }],
  ['a job awaits something', 'waiting', { standing: running() }],
  ['a job has just begun', 'working', { standing: running(SILENT_MS - 1) }],
  ['a job computes in turns', 'working', { busy: 0.9, processor: 0.9, standing: running() }],
  [
    'a job computes in turns, and gets little of a processor',
    'working',
    { busy: 0.9, processor: 0.1, standing: running() },
  ],
  ['a loop without an end', 'spinning', { ...silent, busy: 1, processor: 1, standing: running() }],
  [
    'the same, on a busy machine',
    'spinning',
    { silentMs: 1_000, busy: 1, processor: 0.15, queued: 0.8, standing: running() },
  ],
  ['the same, after its job has ended', 'spinning', { ...silent, busy: 1, processor: 0.5, queued: 0.5 }],
  ['a native call that waits', 'blocked', { ...silent, busy: 1, standing: running() }],
  [
    'a long turn, on a very busy machine',
    'working',
    { silentMs: 300, busy: 1, processor: 0.1, queued: 0.9, standing: running() },
  ],
  ['a thread that gets no processor, with a job', 'working', { ...silent, queued: 1, standing: running() }],
  ['the same, which the kernel has not counted yet', 'working', { ...silent, state: 'ready', standing: running() }],
  ['the same between two turns', 'working', { ...silent, busy: 0, standing: running() }],
  ['a thread that gets no processor, without a job', 'idle', { ...silent, queued: 0.95 }],
  [
    'no queue is told, and it gets a little',
    'spinning',
    { ...silent, processor: 0.1, queued: null, standing: running() },
  ],
  ['no queue is told, and it gets nothing', 'blocked', { ...silent, queued: null, standing: running() }],
  ['nothing is told', 'unresponsive', { ...silent, processor: null, queued: null, standing: running() }],
  ['it fell silent after the first reading', 'unresponsive', { silentMs: 200, windowMs: 300, standing: running() }],
  ['it loads its tasks', 'starting', { ...silent, standing: { status: 'starting' } }],
  ['it was told to end just now', 'spinning', { ...silent, processor: 1, standing: { ...running(), toldToEndMs: 10 } }],
  ['it was told to end and has not', 'blocked', { ...silent, processor: 1, standing: { toldToEndMs: HANGS_MS } }],
  ['it has exited', 'dead', { ...silent, processor: 1, standing: { status: 'exited', toldToEndMs: 9_999 } }],
]

const share = fc.double({ min: 0, max: 1, noNaN: true })
const anyCase: fc.Arbitrary<Required<Case> & { readonly standing: Standing }> = fc.record({
  silentMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
  windowMs: fc.double({ min: 1, max: 3_000, noNaN: true }),
  busy: share,
  processor: fc.option(share, { nil: null }),
  queued: fc.option(share, { nil: null }),
  state: fc.constantFrom('ready' as const, 'asleep' as const),
  standing: fc.record({
    status: fc.constantFrom('starting' as const, 'serving' as const, 'exited' as const),
    toldToEndMs: fc.option(fc.double({ min: 0, max: 60_000, noNaN: true }), { nil: undefined }),
    longestMs: fc.option(fc.double({ min: 0, max: 60_000, noNaN: true }), { nil: undefined }),
  }),
})

const property = (holds: (of: Required<Case> & { readonly standing: Standing }, verdict: Verdict) => void) =>
  fc.assert(fc.property(anyCase, (of) => holds(of, judged(of))))

describe('a verdict', () => {
  for (const [what, verdict, of] of table) it(`is ${verdict}: ${what}`, () => assert.equal(judged(of), verdict))

  it('is dead if the thread has exited, and only then, whatever the readings say', () => {
    property(({ standing }, verdict) => assert.equal(verdict === 'dead', standing.status === 'exited'))
  })

  it('accuses nobody whose loop has turned within two beats, unless it was told to end', () => {
    property(({ silentMs, standing: { toldToEndMs = 0 } }, verdict) => {
      if (silentMs >= SILENT_MS || toldToEndMs >= HANGS_MS) return
      assert.ok(!['spinning', 'blocked', 'unresponsive'].includes(verdict), verdict)
    })
  })

  it('never says that a thread spins that got no processor, nor that one waits on which nothing runs', () => {
    property(({ processor, standing }, verdict) => {
      if (verdict === 'spinning') assert.ok((processor ?? 0) > 0)
      if (verdict === 'waiting' || verdict === 'working') assert.notEqual(standing.longestMs, undefined)
    })
  })

  it('needs no earlier reading to tell an idle thread, and does not guess at a silent one', () => {
    const at = { at: NOW, beatAt: NOW, activeMs: 1, processorMs: 1, queuedMs: 1, state: undefined }
    assert.equal(verdictOf(undefined, at, serving), 'idle')
    assert.equal(verdictOf(undefined, { ...at, beatAt: NOW - SILENT_MS }, serving), 'unresponsive')
  })
})
