import { type Behavior, spawn } from '../../lib/actor.ts'
import { tooNew } from '../../lib/version.ts'
import type { ChildSpec } from '../../lib/supervision.ts'
import { type Across, replyQueue, sendCancelled } from '../across.ts'
import { Intake } from '../intake/intake.ts'
import { placeListener } from '../listeners.ts'
import { jobMessage } from '../outbox/job-message.ts'
import { Outbox } from '../outbox/outbox.ts'
import { outboxIndex } from '../place-of.ts'
import type { Wires } from '../wires.ts'
import { LinkChild } from './link-child.ts'

export function linkChild(wires: Wires, across: Across): ChildSpec {
  return {
    id: 'link',
    restart: 'permanent',
    start: () => spawn(new LinkChild(wires, across), { id: 'link', stopDeadlineMs: 30_000 }),
  }
}

/** Where running means being sent. */
class OutboxChild implements Behavior<never> {
  readonly #wires: Wires
  readonly #across: Across

  constructor(wires: Wires, across: Across) {
    this.#wires = wires
    this.#across = across
  }

  start(): void {
    const { catalog, clock, emit, journal } = this.#wires
    const { config, destinations } = this.#across
    const { supports } = config.broker
    const index = outboxIndex(this.#wires)
    const outbox = new Outbox({
      index,
      clock,
      listener: placeListener(this.#wires),
      messageOf: (job) => {
        const task = catalog.name(job.task)
        const sender = { journal: journal.name, reply: replyQueue(this.#across), supports }
        return jobMessage(job, task, destinations.queueOf(task), sender, clock.now())
      },
      publish: (messages) => config.broker.publish(messages),
      kept: (news) => emit.emit('message.kept', news),
    })
    this.#across.outbox = outbox
    this.#wires.places[index] = outbox
  }

  receive(): void {}

  async stop(): Promise<void> {
    await this.#across.outbox?.stop(0)
  }
}

export function outboxChild(wires: Wires, across: Across): ChildSpec {
  const id = '(outbox)'
  return { id, restart: 'permanent', start: () => spawn(new OutboxChild(wires, across), { id }) }
}

export function intakeChild(wires: Wires, across: Across): ChildSpec {
  return {
    id: 'intake',
    restart: 'permanent',
    start() {
      const child = spawn(intakeOf(wires, across), { id: 'intake' })
      void wires.cluster?.ready.then(() => {
        across.inlet.cancels = 'read'
        child.tell({ type: 'room' })
      })
      across.tellIntake = (message) => void child.tell(message)
      return child
    },
  }
}

function intakeOf(wires: Wires, across: Across): Intake {
  const { config, deliveries, verdicts, inlet } = across
  const { clock, emit, catalog, journal, pauses, suspensions, stopped } = wires
  const nameOf = (place: number) => config.queues[place] as string
  return new Intake({
    clock,
    supports: config.broker.supports,
    inlet,
    deliveries,
    verdicts,
    journal,
    runnable({ task, version }) {
      const index = journal.taskIndex(task)
      const manifest = catalog.manifest(task)
      if (index === undefined || manifest === undefined || tooNew(manifest, version)) return -1
      const place = catalog.placeOf(index)
      // Of a suspended task one is enough: it is tried.
      const isHeld = pauses.holds(task, place) || (suspensions.holds(index) && deliveries.anyOf(task))
      return place < 0 || isHeld ? -1 : index
    },
    overtaken({ number, was }) {
      // Where it has not started it does not: its end would be stale. That takes the wish away, which no other end would.
      if (was === 'running') wires.wishes.add(number)
      return deliveries.ended(number, { type: 'done' }, clock.now())
    },
    isStopping: () => wires.stopping === 'asked',
    parallelOf(place) {
      const idle = inlet.cancels === 'unread' || journal.refusal !== undefined
      if (idle || stopped.has(place) || pauses.holdsPlace(place)) return 0
      return wires.places[place]?.parallel ?? 0
    },
    endedOf: (place) => deliveries.endedOf(nameOf(place)),
    sendCancelled: (envelope) => sendCancelled(across, envelope),
    malformed: (queue, error) => emit.emit('message.malformed', { queue, error }),
    failed: (error) => emit.emit('runtime.error', { error }),
  })
}
