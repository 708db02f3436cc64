import type { Against, Figure, Range } from './bench.ts'
import type { Machine } from './machine.ts'

const COLUMNS = ['what', 'measured', 'spread', 'runs', 'beside it', 'ratio', 'target', ''] as const

/** The figures as a table of text. */
export function table(figures: readonly Figure[]): string {
  const rows = [COLUMNS, ...figures.map(cells)]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  lines.splice(
    1,
    0,
    widths
      .map((width) => '-'.repeat(width))
      .join('  ')
      .trimEnd(),
  )
  const notes = figures.filter(({ note }) => note !== undefined).map(({ what, note }) => `  ${what}: ${note}`)
  return [...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

/** One line that says what the figures were measured on. */
export function machineLine({ cores, cpu, memoryGb, node, sqlite, fileSystem, durability, load }: Machine): string {
  return (
    `${cores} cores (${cpu}), ${memoryGb} GB, ${fileSystem}; Node ${node}, SQLite ${sqlite}, ` +
    `durability ${durability}; load ${load} before the first bench`
  )
}

function cells({ what, value, unit, range, runs, against, target }: Figure): string[] {
  return [
    what,
    `${amount(value)} ${unit}`,
    range === undefined ? '' : spread(range, amount),
    String(runs),
    against === undefined ? '' : `${amount(against.value)} ${against.name}`,
    against === undefined ? '' : ratio(against),
    target?.text ?? '',
    target?.verdict ?? '',
  ]
}

function ratio({ ratio: value, ratioRange }: Against): string {
  return `${value.toFixed(2)} (${spread(ratioRange, (each) => each.toFixed(2))})`
}

function spread({ low, high }: Range, text: (value: number) => string): string {
  return `${text(low)} - ${text(high)}`
}

/** To about three figures. */
function amount(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en')
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
