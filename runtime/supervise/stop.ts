import type { Child } from '../../lib/actor.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Wires } from '../wires.ts'
import { drain, tearDown } from './drain.ts'

/** Stops all that runs; `root` is what the rest hangs on. */
export async function stopAll(
  wires: Wires,
  root: Child<never>,
  graceMs: number,
): Promise<{ readonly stuck: readonly string[] }> {
  const { clock, emit, publisher, desk, results } = wires
  const endsAt = clock.monotonicMs() + graceMs
  wires.stopping = 'asked'
  emit.emit('runtime.stopping', {})
  publisher.close()
  const stuck = (await drain(wires, graceMs)).map((number) => desk.idOf(number))
  root.stop()
  await root.exited
  await tearDown(wires, endsAt - clock.monotonicMs())
  results.rejectAll(stopped())
  wires.across?.handOvers.rejectAll(stopped())
  emit.emit('runtime.stopped', { stuck })
  return { stuck }
}

function stopped(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the runtime has stopped before the job ended; the job goes on in the next one; ask there for its result',
  )
}
