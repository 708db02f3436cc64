import { randomBytes } from 'node:crypto'
import { type BrokerEvent, type Delivery, type Settlement, type Subscription } from '../lib/broker.ts'
import { type JobEnvelope, replyQueueOf } from '../lib/envelope.ts'
import { MillraceError } from '../lib/errors.ts'
import { encodeUnrun } from '../lib/homeward.ts'
import { invalidOption } from '../lib/options.ts'
import type { AnyTask } from '../lib/task.ts'
import { ask } from './ask.ts'
import type { AcrossConfig } from './config/across-config.ts'
import { Homecoming } from './homecoming/homecoming.ts'
import { Homeward } from './homecoming/homeward.ts'
import { Deliveries } from './intake/deliveries.ts'
import type { IntakeMessage } from './intake/intake.ts'
import { Verdicts } from './intake/verdicts.ts'
import type { SettleEntry } from './journal/owner/gather.ts'
import { Destinations } from './outbox/destinations.ts'
import { HandOvers } from './outbox/hand-overs.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { Wires } from './wires.ts'

/** What lasts as long as the runtime of what jobs need that go to other machines and come from them. */
export interface Across {
  readonly config: AcrossConfig
  /** A delay of at least so much is the broker's to keep; `undefined`: none is. */
  readonly stepMs: number | undefined
  readonly destinations: Destinations
  readonly handOvers: HandOvers
  readonly deliveries: Deliveries
  readonly verdicts: Verdicts
  readonly homeward: Homeward
  readonly homecoming: Homecoming
  /** Deliveries that nobody has looked at; told to the intake. */
  readonly inlet: {
    readonly arrived: Delivery[]
    readonly subscriptions: Subscription[]
    /** Nothing is taken before cancels are read that were kept for this node. */
    cancels: 'read' | 'unread'
  }
  tellIntake: (message: IntakeMessage) => void
  /** From now on outcomes come home: somebody may listen. */
  letIn: () => void
  outbox: Outbox | undefined
  /** Resolves when the broker was reached for the first time. */
  readonly reached: Promise<void>
  reach: () => void
  /** The name of this node among all; '' until the journal is open. */
  node: string
}

/** Shorter delays are the journal's everywhere: a broker's are coarse. */
const LEAST_STEP_MS = 1_000
/** How many outcomes are read at once that were not sent. */
const UNSENT = 500
const NODE = 'node'

export function acrossOf(wires: Wires, config: AcrossConfig): Across {
  const { clock, emit } = wires
  const { supports } = config.broker
  const failed = (error: Error) => emit.emit('runtime.error', { error })
  let reach: () => void = () => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const across: Across = {
    config,
    stepMs: supports.delay === 'none' ? undefined : Math.max(LEAST_STEP_MS, supports.delay.stepMs),
    destinations: new Destinations({
      settings: {
        beginningWith: (prefix) => wires.journal.settings.beginningWith(prefix),
        set: (name, value) => wires.journal.settings.set(name, value),
      },
      manifest: (task) => wires.catalog.manifest(task),
      placeOf: (manifest) => wires.placements.placeOf(manifest).name,
      failed,
    }),
    handOvers: new HandOvers(),
    deliveries: new Deliveries(supports),
    verdicts: new Verdicts({
      clock,
      kept(queue, result, messages, retryMs) {
        if (result.type === 'held') return
        const error = result.type === 'unroutable' ? unroutable(queue) : result.error
        emit.emit('message.kept', { queue, because: result.type, messages, retryMs, error })
      },
    }),
    homeward: homewardOf(wires, config, () => across.node),
    homecoming: homecomingOf(wires),
    inlet: { arrived: [], subscriptions: [], cancels: supports.control ? 'unread' : 'read' },
    tellIntake: () => {},
    letIn: () => {},
    outbox: undefined,
    reached,
    reach,
    node: '',
  }
  return across
}

function homewardOf(wires: Wires, { broker }: AcrossConfig, node: () => string): Homeward {
  const { clock, emit } = wires
  return new Homeward({
    clock,
    node,
    publish: (messages) => broker.publish(messages),
    sent: (sent) => ask(wires, { type: 'sent-home', sent }),
    async unsent(after) {
      const answer = await ask(wires, { type: 'unsent', after, limit: UNSENT })
      return answer.type === 'unsent' ? answer.homes : []
    },
    dropped: (id, queue, cause) => emit.emit('outcome.dropped', { id, error: homeless(id, queue, cause) }),
    failed: (error) => emit.emit('runtime.error', { error }),
  })
}

function homecomingOf(wires: Wires): Homecoming {
  const { clock, emit } = wires
  return new Homecoming({
    clock,
    journalName: () => wires.journal.name,
    taskIndex: (name) => wires.journal.taskIndex(name),
    async comeHome(outcomes) {
      const answer = await ask(wires, { type: 'come-home', outcomes })
      return answer.type === 'home' ? answer.came : []
    },
    committed: (entries) => wires.announcer.committed([], entries, new Set()),
    dropped: (id, error) => emit.emit('outcome.dropped', { id, error: error ?? late(id ?? '') }),
    failed: (error) => emit.emit('runtime.error', { error }),
  })
}

/** The name of this node, for as long as its journal lives. */
export async function nodeOf({ journal }: Wires): Promise<string> {
  const known = journal.settings.get(NODE)
  if (typeof known === 'string') return known
  const node = randomBytes(8).toString('hex')
  await journal.settings.set(NODE, node)
  return node
}

export function replyQueue({ node }: Across): string {
  return replyQueueOf(node)
}

/** Told of each task before a job of it is taken from a caller. */
export function meet(wires: Wires, { destinations }: Across, task: AnyTask): void {
  refuseForWorker(wires)
  if (task.local === true && wires.catalog.manifest(task.name) === undefined) {
    throw invalidOption('task', task.name, 'a task that is handled here, since it is local')
  }
  destinations.met(task)
}

/** What a commit has written of deliveries is told to the broker. */
export function settledAcross(
  { clock, stopping }: Wires,
  { deliveries, verdicts, handOvers }: Across,
  settles: readonly SettleEntry[],
  stale: ReadonlySet<number>,
): void {
  handOvers.committed(settles)
  const now = clock.now()
  const settlements: Settlement[] = []
  for (const { settle } of settles) {
    const { number, taken, transition } = settle
    if (stale.has(number)) {
      // Its row went with the thread of the journal: nobody knows any more that it has run, so it goes to others.
      settlements.push(...deliveries.release(number))
      continue
    }
    if (taken === undefined) {
      if (stopping === 'asked' && transition === 'release') settlements.push(...deliveries.release(number))
      continue
    }
    const settlement = deliveries.ended(number, taken.verdict, now)
    if (settlement !== undefined) settlements.push(settlement)
  }
  verdicts.tell(settlements)
}

/** The journal has ended deliveries that waited, by their numbers. */
export function unrunAcross({ clock }: Wires, { deliveries, verdicts }: Across, numbers: readonly number[]): void {
  const settlements: Settlement[] = []
  for (const number of numbers) {
    const settlement = deliveries.ended(number, { type: 'done' }, clock.now())
    if (settlement !== undefined) settlements.push(settlement)
  }
  verdicts.tell(settlements)
}

/** Resolves when the node that has the job knows that it was cancelled before it came here, or never will. */
export async function sendCancelled({ homeward }: Across, { reply, ...job }: JobEnvelope): Promise<void> {
  if (reply !== undefined) await homeward.send(reply, encodeUnrun(job, 'cancel-running'))
}

/** What happens to connections, as the runtime tells it; what waits for them is sent again at once. */
export function tellBroker({ emit }: Wires, across: Across, event: BrokerEvent): void {
  switch (event.type) {
    case 'up':
      emit.emit('broker.up', { link: event.link })
      across.reach()
      across.outbox?.wake()
      return across.homeward.wake()
    case 'down':
      return emit.emit('broker.down', { link: event.link, error: event.error, retryMs: event.retryMs })
    case 'blocked':
      return emit.emit('broker.blocked', { link: event.link, reason: event.reason })
    case 'unblocked':
      return emit.emit('broker.unblocked', { link: event.link })
    case 'subscription-down': {
      const { link, queue, error, retryMs } = event
      return emit.emit('queue.down', { link, queue, error, retryMs })
    }
    case 'subscription-up':
      return emit.emit('queue.up', { link: event.link, queue: event.queue })
    case 'malformed':
      return emit.emit('message.malformed', { queue: event.queue, error: event.error })
  }
}

/** What is for others than handlers is no worker's. */
function refuseForWorker({ across }: Wires): void {
  if (across?.config.role !== 'worker') return
  throw new MillraceError(
    'MILLRACE_ROLE',
    "a worker enqueues nothing but what its handlers do; got the role 'worker', expected 'publisher' or 'both'; use " +
      'context.enqueue in a handler, or another runtime',
    { path: 'role' },
  )
}

function unroutable(queue: string): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_QUEUE',
    `the broker has no queue ${queue}; expected one that it has held before; what was to go there is kept, and tried ` +
      'again; look who has deleted it',
  )
}

function homeless(id: string, queue: string, cause: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_UNROUTABLE',
    `the outcome of ${id} reaches nobody: the broker does not take it for ${queue}; expected the node that has the job to ` +
      'come back within a week; look whether its journal was deleted',
    { cause },
  )
}

function late(id: string): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_LATE',
    `an outcome of ${id} is dropped: no job here waits for it; expected one that is away with this claim; it came twice, ` +
      'or after the job had been given up',
  )
}
