import { MillraceError } from '../lib/errors.ts'
import { formatJobId } from '../lib/job.ts'
import { decodePayload } from '../lib/payload.ts'
import type { SupervisionEvent } from '../lib/supervision.ts'
import type { JournalAccessListener } from './journal/access.ts'
import type { ChildPort, EndedGroup, PlaceListener } from './messages.ts'
import type { Wires } from './wires.ts'

/** What the journal tells goes to whoever it concerns now. */
export function journalListener(wires: Wires, fail: (error: Error) => void): JournalAccessListener {
  const { emit } = wires
  return {
    claimed(jobs) {
      wires.undispatched.add(jobs)
      wires.dispatch.tell({ type: 'claimed', jobs })
    },
    settled: (finished, settles, stale) => wires.announcer.committed(finished, settles, stale),
    unsettled: (number, error) => emit.emit('job.unsettled', { id: formatJobId(wires.journal.name, number), error }),
    wished: (wished) => wires.desk.wished(wished),
    expired: (jobs) => wires.announcer.expired(jobs),
    nextDueAt: (at) => wires.upkeep?.tell({ type: 'next-due', at }),
    suspects: (count) => wires.upkeep?.tell({ type: 'suspects', count }),
    learnedTasks: (names) => wires.router?.tell({ type: 'learned', names }),
    health(state, error) {
      if (state === 'healthy') emit.emit('journal.healthy', {})
      else emit.emit('journal.degraded', { error })
    },
    down: (error) => emit.emit('journal.down', { error }),
    reopened: () => wires.router.tell({ type: 'reroute' }),
    gaveUp: fail,
  }
}

/** What places tell: outcomes to the settler, room to the journal and the dispatcher, the rest to those who listen. */
export function placeListener(wires: Wires): PlaceListener {
  const { emit, journal, config } = wires
  const nameOf = (place: number) => config.places[place]?.name ?? ''
  const idOf = (number: number) => formatJobId(journal.name, number)
  return {
    ended(place, ended) {
      const group: EndedGroup = { place, ended }
      wires.unsettled.add(group)
      wires.settle.tell({ type: 'ended', group })
      let bytes = 0
      for (const { job } of ended) bytes += job.input.length
      journal.giveRoom(place, ended.length, bytes)
    },
    putBack(place, jobs) {
      wires.undispatched.add(jobs)
      wires.dispatch.tell({ type: 'put-back', place, jobs })
    },
    room: (place) => wires.dispatch.tell({ type: 'room', place }),
    progress(number, task, value) {
      wires.desk.progressed(number, value)
      if (!emit.hasListeners('job.progress')) return
      emit.emit('job.progress', { id: idOf(number), task, value: decodePayload(value) })
    },
    stray: (place, number, error) =>
      emit.emit('job.stray', { id: number === undefined ? undefined : idOf(number), error, place: nameOf(place) }),
    zombies(place, count) {
      emit.emit('place.zombies', { place: nameOf(place), count })
      const most = config.places[place]?.maxZombies ?? 0
      if (count > most) emit.emit('runtime.unfit', { error: tooManyZombies(nameOf(place), count, most) })
    },
    failed(place, error) {
      wires.stopped.set(place, error)
      wires.dispatch?.tell({ type: 'place-stopped', place })
      wires.router?.tell({ type: 'place-stopped', place })
      tellStopped(wires, place, error)
    },
  }
}

export function tellStopped({ emit, config }: Wires, place: number, cause: Error): void {
  const { name } = config.places[place] as { name: string }
  emit.emit('place.stopped', { place: name, error: placeStopped(name, cause) })
}

function placeStopped(place: string, cause: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_PLACE_STOPPED',
    `${place} has given up: ${cause.message}; its jobs wait in the journal; mend the cause and start the service anew`,
    { cause },
  )
}

function tooManyZombies(place: string, threads: number, most: number): MillraceError {
  return new MillraceError(
    'MILLRACE_ZOMBIES',
    `threads of tier ${place} hang in native calls, which nothing can interrupt; got ${threads}, expected at most ` +
      `${most}; the runtime drains: end the process by SIGKILL and start it anew`,
  )
}

/** What crashed and is started anew is not silent: whatever is behind it will come again. */
export function supervisionListener({ emit }: Wires): (event: SupervisionEvent) => void {
  return (event) => {
    if (event.type !== 'child-exited' || event.reason.type !== 'crashed') return
    const { error } = event.reason
    emit.emit('runtime.error', { error: error instanceof Error ? error : new Error(String(error)) })
  }
}

/** What handlers ask of the owner. */
export function childPort(wires: Wires): ChildPort {
  return {
    takeNumbers: (count) => wires.journal.takeNumbers(count),
    enqueue: (task, number, input, extra) => wires.publisher.enqueueNumbered(task, number, input, extra),
  }
}
