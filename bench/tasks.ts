import { defineTask } from '../runtime/index.ts'
import { board, nowMs } from './board.ts'

type Input = { readonly text: string }
type Stamped = { readonly at: number; readonly text: string }

/** Does nothing, on threads. */
export const noop = defineTask({ name: 'bench.noop', run(_input: Input) {} })

/** Does nothing, on the service's own loop. */
export const laneNoop = defineTask({ name: 'bench.lane-noop', lane: 'network', run(_input: Input) {} })

/** Returns 20 bytes. */
export const twenty = defineTask({ name: 'bench.twenty', run: (_input: Input) => 'twenty bytes of it' })

const BUSY_MS = 1

/** Holds a processor for 1 ms. */
export const busy = defineTask({
  name: 'bench.busy',
  run(_input: Input) {
    for (const end = nowMs() + BUSY_MS; nowMs() < end; );
  },
})

const WAITING_MS = 10

/** Waits for 10 ms, on the service's own loop. */
export const waiting = defineTask({
  name: 'bench.waiting',
  lane: 'network',
  run: (_input: Input) => new Promise<void>((resolve) => setTimeout(resolve, WAITING_MS)),
})

/** Has no handler: its jobs wait. */
export const parked = defineTask<Input, void>({ name: 'bench.parked' })

/** Tells how long after its enqueue it has started. */
export const stamped = defineTask({
  name: 'bench.stamped',
  run(input: Stamped) {
    board.record(nowMs() - input.at)
  },
})

/** Occupies its slot until the gate is open. */
export const gate = defineTask({ name: 'bench.gate', run: (_input: Input) => gateOpen() })

/** The same on the lane. */
export const laneGate = defineTask({ name: 'bench.lane-gate', lane: 'network', run: (_input: Input) => gateOpen() })

const GATE_LOOK_MS = 1
let opening: Promise<void> | undefined

/** One look at a time however many wait, so that a thousand closed gates cost as much as one. */
function gateOpen(): Promise<void> {
  opening ??= new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (board.get('gate') === 0) return
      clearInterval(timer)
      opening = undefined
      resolve()
    }, GATE_LOOK_MS)
  })
  return opening
}

const SLOW_MS = 100
const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Holds its thread for 100 ms without using the processor, as a call into the kernel does. */
export const slow = defineTask({
  name: 'bench.slow',
  run(_input: Input) {
    Atomics.wait(nobody, 0, 0, SLOW_MS)
  },
})

/** Takes 50 ms, so that a backlog of it stays where it is while memory is looked at. */
export const nap = defineTask({
  name: 'bench.nap',
  run: (_input: Input) => new Promise<void>((resolve) => setTimeout(resolve, 50)),
})

export const SPIN_LIMIT_MS = 100

/** Never ends; tells when it has started. */
export const spin = defineTask({
  name: 'bench.spin',
  softLimitMs: SPIN_LIMIT_MS / 2,
  hardLimitMs: SPIN_LIMIT_MS,
  retry: { attempts: 1 },
  run(_input: Input): void {
    board.record(nowMs())
    for (;;);
  },
})

/** Tells when it has started, and whether the end of a neighbour was charged to it. */
export const neighbour = defineTask({
  name: 'bench.neighbour',
  run(_input: Input, context) {
    if (context.attempt > 1) board.count('charged')
    board.record(nowMs())
  },
})
