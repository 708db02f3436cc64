import { parseArgs } from 'node:util'
import type { Figure, Scale } from './bench.ts'
import { ceiling } from './ceiling.ts'
import { inChild } from './child.ts'
import { thisMachine } from './machine.ts'
import { benches } from './registry.ts'
import { machineLine, table } from './table.ts'

/** As of a process that SIGINT has ended. */
const INTERRUPTED = 130

/** What says nothing in a second or two; a name asks for it all the same. */
const LONG: readonly string[] = ['backlog', 'mixed', 'mix', 'kill', 'rabbitmq', 'across', 'celery']

const HELP = `npm run bench -- [NAME ...] [--quick | --once] [--json]

Measures Millrace and, in the same run, what SQLite alone can do: the ceiling comes first, whatever is asked for. Without a
name every bench is run.

  --quick   fewer and shorter runs, under 20 s in all: a look at the hot path, nothing to quote; without a name it leaves
            out ${LONG.join(', ')}
  --once    every bench once at a tiny size: shows that they run
  --json    figures as JSON on stdout, progress on stderr
  --help    this text

${benches.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}

Ends with 0 whether targets are met or not: a figure of a shared machine is no test. Ends with 2 for wrong arguments, with
${INTERRUPTED} where Ctrl-C has ended it, which prints what was measured until then.
`

interface Wanted {
  readonly names: readonly string[]
  readonly scale: Scale
  readonly output: 'table' | 'json'
}

function wanted(args: readonly string[]): Wanted | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      once: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return 'help'
  const scale = values.once === true ? 'once' : values.quick === true ? 'quick' : 'full'
  const unknown = positionals.find((name) => benches.every((bench) => bench.name !== name))
  if (unknown !== undefined) {
    throw new Error(`there is no bench ${unknown}; expected ${benches.map(({ name }) => name).join(', ')}`)
  }
  return {
    names: positionals.length > 0 ? withCeiling(positionals) : namesFor(scale),
    scale,
    output: values.json === true ? 'json' : 'table',
  }
}

/** A quick look leaves out what is long. */
function namesFor(scale: Scale): string[] {
  return benches.filter(({ name }) => scale !== 'quick' || !LONG.includes(name)).map(({ name }) => name)
}

/** Whatever is asked for: no figure says much without what the disk and SQLite did in the same run. */
function withCeiling(names: readonly string[]): string[] {
  return [...new Set([ceiling.name, ...names])]
}

async function measure({ names, scale, output }: Wanted): Promise<void> {
  const machine = thisMachine()
  const startedAt = performance.now()
  const figures: (Figure & { readonly bench: string })[] = []
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  for (const name of names) {
    process.stderr.write(`${name} ...\n`)
    try {
      const measured = await inChild<readonly Figure[]>('bench', [name, scale], interrupt.signal)
      figures.push(...measured.map((figure) => ({ bench: name, ...figure })))
    } catch (error) {
      if (!interrupt.signal.aborted) throw error
      process.stderr.write(`interrupted in ${name}; what was measured before:\n`)
      process.exitCode = INTERRUPTED
      break
    }
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  const text =
    output === 'json'
      ? JSON.stringify({ machine, scale, seconds, figures }, undefined, 2)
      : `${machineLine(machine)}; ${scale}, ${seconds} s\n\n${table(figures)}`
  process.stdout.write(`${text}\n`)
}

async function main(): Promise<void> {
  let asked: Wanted | 'help'
  try {
    asked = wanted(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`)
    process.exitCode = 2
    return
  }
  if (asked === 'help') process.stdout.write(HELP)
  else await measure(asked)
}

await main()
