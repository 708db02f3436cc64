import { formatJobId } from '../../lib/job.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'
import type { Wires } from '../wires.ts'

/**
 * Jobs of this node that are away shall not run: whoever has them hears of it, or will. Resolves when the broker keeps it
 * for every node that is known.
 */
export async function cancelElsewhere(wires: Wires, numbers: readonly number[]): Promise<void> {
  const { clock, cluster, journal, wishes } = wires
  for (const number of numbers) wishes.delete(number)
  await cluster?.keep(
    numbers.map((number) => formatJobId(journal.name, number)),
    clock.now(),
    'all',
  )
}

/** What somebody has wanted of jobs while they were being sent. */
export function cancelHandedOver(wires: Wires, settles: readonly SettleEntry[], stale: ReadonlySet<number>): void {
  if (wires.wishes.size === 0) return
  const unwanted = settles.flatMap(({ settle: { number, transition } }) =>
    transition === 'hand-over' && !stale.has(number) && wires.wishes.has(number) ? [number] : [],
  )
  if (unwanted.length === 0) return
  cancelElsewhere(wires, unwanted).catch((error: Error) => wires.emit.emit('runtime.error', { error }))
}
