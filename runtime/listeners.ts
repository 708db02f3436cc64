import { MillraceError } from '../lib/errors.ts'
import { weightOf } from '../lib/job.ts'
import { decodePayload } from '../lib/payload.ts'
import type { SupervisionEvent } from '../lib/supervision.ts'
import type { JournalAccessListener } from './journal/owner/access.ts'
import { tailLostError } from './journal/files/mark.ts'
import { Arrivals } from './dispatch/arrivals.ts'
import { cancelHandedOver } from './control/cancel-elsewhere.ts'
import { runningJob } from './control/running-job.ts'
import {
  type ChildPort,
  type Ended,
  type EndedGroup,
  isSuspect,
  type PlaceListener,
  type ThreadNews,
} from './messages.ts'
import { placeOfClaim, publicIdOf } from './place-of.ts'
import { settledAcross, unrunAcross } from './across.ts'
import type { Wires } from './wires.ts'

/** What the journal tells goes to whoever it concerns now. */
export function journalListener(wires: Wires, fail: (error: Error) => void): JournalAccessListener {
  const { emit } = wires
  const arrivals = arrivalsOf(wires)
  return {
    claimed(jobs) {
      arrivals.add(jobs)
      wires.suspensions.claimed(jobs)
    },
    settled(finished, settles, stale) {
      wires.announcer.committed(finished, settles, stale)
      // The journal first, the broker second.
      if (wires.across === undefined) return
      settledAcross(wires, wires.across, settles, stale)
      cancelHandedOver(wires, settles, stale)
    },
    unsettled({ number, task, claim }, error) {
      wires.unwritten.add({ number, task, claim })
      wires.results.refuse(number, error)
      emit.emit('job.unsettled', { id: publicIdOf(wires, number), error })
    },
    wished: (wished) => wires.desk.wished(wished),
    expired(jobs) {
      wires.announcer.expired(jobs)
      if (wires.across === undefined) return
      const numbers = jobs.map(({ number }) => number)
      unrunAcross(wires, wires.across, numbers)
    },
    goHome: (homes) => wires.across?.homeward.add(homes),
    nextDueAt: (at) => wires.upkeep?.tell({ type: 'next-due', at }),
    suspects: (count) => wires.upkeep?.tell({ type: 'suspects', count }),
    learnedTasks: (names) => wires.router?.tell({ type: 'learned', names }),
    health(state, error) {
      if (state === 'healthy') emit.emit('journal.healthy', {})
      else emit.emit('journal.degraded', { error })
    },
    overgrown: (logBytes) => emit.emit('journal.overgrown', { logBytes }),
    down: (error) => emit.emit('journal.down', { error }),
    missed: (ended) => wires.desk.tellMissed(ended),
    reopened({ lost }) {
      if (lost !== undefined) emit.emit('runtime.error', { error: tailLostError(wires.config.journal.file, lost) })
      // Before there is a router: that one begins with a reroute.
      wires.router?.tell({ type: 'reroute' })
      wires.desk.journalReopened()
      wires.across?.homeward.readRest()
    },
    gaveUp: fail,
  }
}

function arrivalsOf(wires: Wires): Arrivals {
  const { clock, undispatched } = wires
  return new Arrivals({
    clock,
    undispatched,
    isForTier: (job) => wires.places[placeOfClaim(wires, job)]?.kind === 'tier',
    tell: (jobs) => wires.dispatch.tell({ type: 'claimed', jobs }),
  })
}

/** What places tell: outcomes to the settler, room to the journal and the dispatcher, the rest to those who listen. */
export function placeListener(wires: Wires): PlaceListener {
  const { emit, journal, config } = wires
  const nameOf = (place: number) => config.places[place]?.name ?? 'trial'
  const idOf = (number: number) => publicIdOf(wires, number)
  return {
    started: (starts) => journal.started(starts),
    ended(place, ended) {
      const group: EndedGroup = { place, ended }
      wires.unsettled.add(group)
      wires.settle.tell({ type: 'ended', group })
      // What a suspect takes in a process of its own says nothing about its tier.
      if (place < config.places.length) wires.runWatch.observe(ended)
      wires.suspensions.observe(ended)
      giveRoom(wires, place, ended)
    },
    putBack(place, jobs) {
      wires.undispatched.set(jobs, place)
      wires.dispatch.tell({ type: 'put-back', place, jobs })
    },
    // A place may be ready before the dispatcher has started, which has nothing for it yet.
    room: (place) => void wires.dispatch?.tell({ type: 'room', place }),
    runs: (job, ms) => wires.runWatch.runs(job, ms),
    progress(number, task, value) {
      wires.desk.progressed(number, value)
      if (!emit.hasListeners('job.progress')) return
      emit.emit('job.progress', { id: idOf(number), task, value: decodePayload(value) })
    },
    stray: (place, number, error) =>
      emit.emit('job.stray', { id: number === undefined ? undefined : idOf(number), error, place: nameOf(place) }),
    thread: (place, news) => tellThread(wires, nameOf(place), news),
    zombies: (place, count) => emit.emit('place.zombies', { place: nameOf(place), count }),
    hopeless(place, count) {
      const most = config.places[place]?.maxZombies ?? Number.POSITIVE_INFINITY
      if (count > most) emit.emit('runtime.unfit', { error: tooManyZombies(nameOf(place), count, most) })
    },
    recycled: (place, cause, usage) => emit.emit('place.recycled', { place: nameOf(place), cause, ...usage }),
    resized(place, resizing) {
      wires.router?.tell({ type: 'reroute' })
      emit.emit('place.resized', { place: nameOf(place), ...resizing })
    },
    failed(place, error) {
      wires.stopped.set(place, error)
      wires.dispatch?.tell({ type: 'place-stopped', place })
      wires.router?.tell({ type: 'place-stopped', place })
      tellStopped(wires, place, error)
    },
  }
}

/** What has ended, or goes back, makes room where it stood; a trial has taken none. */
export function giveRoom({ journal }: Wires, place: number, ended: readonly Pick<Ended, 'job'>[]): void {
  let jobs = 0
  let bytes = 0
  for (const { job } of ended) {
    if (isSuspect(job)) continue
    jobs++
    bytes += weightOf(job)
  }
  journal.giveRoom(place, jobs, bytes)
}

function tellThread(wires: Wires, place: string, news: ThreadNews): void {
  const { emit } = wires
  switch (news.type) {
    case 'stuck': {
      const { thread, verdict, evidence } = news.report
      return emit.emit('thread.stuck', { place, thread, verdict, evidence, job: runningJob(wires, news.job) })
    }
    case 'hung':
      return emit.emit('thread.hung', {
        place,
        thread: news.thread,
        jobs: news.jobs.map((job) => runningJob(wires, job)),
      })
    case 'died': {
      const jobs = news.jobs.map((job) => runningJob(wires, job))
      return emit.emit('thread.died', { place, thread: news.thread, jobs, error: news.error })
    }
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

/** What crashed and is started anew is not silent, also where its stop hung: whatever is behind it will come again. */
export function supervisionListener({ emit }: Pick<Wires, 'emit'>): (event: SupervisionEvent) => void {
  return (event) => {
    if (event.type !== 'child-exited') return
    const ending = event.reason.type === 'abandoned' ? event.reason.ending : event.reason
    if (ending.type !== 'crashed') return
    const { error } = ending
    emit.emit('runtime.error', { error: error instanceof Error ? error : new Error(String(error)) })
  }
}

/** What handlers ask of the owner. */
export function childPort(wires: Wires): ChildPort {
  return {
    takeNumbers: (count, give) => wires.journal.takeNumbers(count, give),
    enqueue: (task, number, input, extra) => wires.publisher.enqueueNumbered(task, number, input, extra),
  }
}
