import type { Against, Figure, Scale, Unit } from './bench.ts'
import { median, rangeOf } from './figures.ts'

/** How often each side is measured: the ratio of two neighbours says more than either figure on a shared machine. */
export const ALTERNATIONS = { full: 7, quick: 2, once: 1 } as const satisfies Record<Scale, number>

export interface Alternated {
  readonly subject: readonly number[]
  readonly ceiling: readonly number[]
}

type Measure = () => number | Promise<number>

/** Measures ceiling and subject in turn, after one round of each that is not counted (but for 'once'). */
export async function alternate(scale: Scale, ceiling: Measure, subject: Measure): Promise<Alternated> {
  const measured = { subject: [] as number[], ceiling: [] as number[] }
  if (scale !== 'once') {
    await ceiling()
    await subject()
  }
  for (let run = 0; run < ALTERNATIONS[scale]; run++) {
    measured.ceiling.push(await ceiling())
    measured.subject.push(await subject())
  }
  return measured
}

/** The figure of the subject, with the median of its ratios to the ceiling; `least` is the ratio that is the target, if there is one. */
export function ratioFigure(
  what: string,
  unit: Unit,
  { subject, ceiling }: Alternated,
  against: { readonly name: string; readonly least?: number; readonly note?: string },
): Figure {
  const { least } = against
  const ratios = subject.map((value, run) => value / (ceiling[run] as number))
  const ratio = median(ratios)
  const measured: Against = { name: against.name, value: median(ceiling), ratio, ratioRange: rangeOf(ratios) }
  return {
    what,
    unit,
    value: median(subject),
    runs: subject.length,
    range: rangeOf(subject),
    against: measured,
    ...(least !== undefined && {
      target: { text: `>= ${least.toFixed(2)} x`, verdict: ratio >= least ? 'ok' : 'below' },
    }),
    ...(against.note !== undefined && { note: against.note }),
  }
}
