import { MillraceError } from '../../lib/errors.ts'
import { invalidOption, refuseUnknown, wholeNumber } from '../../lib/options.ts'
import { type ElasticThreads, threadLimits } from '../config/config.ts'
import type { PlaceSize } from '../messages.ts'
import type { Wires } from '../wires.ts'

/** What a place shall have: threads of a tier, or jobs at once of a lane on the service's own loop. */
export type ResizeOptions =
  | { readonly threads: number | ElasticThreads; readonly concurrency?: never }
  | { readonly threads?: never; readonly concurrency: number }

/**
 * Changes the size of a place that runs; what is over ends what it has begun.
 * @internal
 */
export function resize(wires: Wires, place: string, options: ResizeOptions): void {
  refuseStopping(wires)
  const index = wires.config.places.findIndex(({ name }) => name === place)
  const target = wires.places[index]
  if (target === undefined) {
    const existing = wires.config.places.map(({ name }) => name)
    throw new MillraceError(
      'MILLRACE_UNKNOWN_PLACE',
      `there is no place ${JSON.stringify(place)}; got ${existing.join(', ')}, expected one of them; it cannot be added ` +
        'while the runtime runs; add it to the options, and start anew',
      { path: 'place' },
    )
  }
  const size = placeSize(options)
  const answer = target.resize(size)
  if (answer === 'over-budget') throw overBudget(wires, size as Extract<PlaceSize, { type: 'threads' }>)
  if (answer === 'refused') throw invalidOption(size.type, given(size), placeThatHas(wires, index))
  wires.router.tell({ type: 'reroute' })
}

/** A place that goes away still takes a size, of which nobody would see anything. */
function refuseStopping({ journal, stopping }: Wires): void {
  if (journal.end !== undefined) throw journal.end
  if (stopping === 'no') return
  throw new MillraceError(
    'MILLRACE_STOPPING',
    'the runtime stops, so that its places have the size that they have; resize those of the next one',
  )
}

/** Throws for what is no size of any place. */
export function placeSize(options: ResizeOptions): PlaceSize {
  refuseUnknown(options, ['threads', 'concurrency'], '')
  const { threads, concurrency } = options
  if (threads !== undefined && concurrency !== undefined) {
    throw invalidOption('concurrency', concurrency, 'no concurrency together with threads: a place has one of them')
  }
  if (threads !== undefined) return { type: 'threads', ...threadLimits(threads, 'threads') }
  return { type: 'concurrency', concurrency: wholeNumber(concurrency, 1, 1e5, 'concurrency') }
}

/** What a place has at least is its own; so all of it together has to be within the total. */
function overBudget({ budget, config }: Wires, { min }: Extract<PlaceSize, { type: 'threads' }>): MillraceError {
  const expected = `at most ${budget.free} more than there are, since all places have ${config.maxThreads} together (maxThreads)`
  return invalidOption('threads', min, expected)
}

function given(size: PlaceSize): number | string {
  if (size.type === 'concurrency') return size.concurrency
  return size.min === size.max ? size.min : `${size.min} to ${size.max}`
}

function placeThatHas({ config }: Wires, index: number): string {
  const { threads, processes } = config.places[index] as { threads: number; processes: number }
  if (processes > 0) return 'a place without processes, whose number is fixed'
  return threads > 0
    ? 'threads, which this place has, while it runs'
    : 'concurrency, which this place has, while it runs'
}
