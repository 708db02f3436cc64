/** Arguments: the name of a bench, the scale. One bench a process, so that none is measured on the heap of another. */
import type { Scale } from '../bench.ts'
import { answerParent } from '../child.ts'
import { benches } from '../registry.ts'
import { table } from '../table.ts'

// What is left to do at the exit is done.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const [name, scale = 'quick'] = process.argv.slice(2)
const bench = benches.find((each) => each.name === name)
if (bench === undefined) throw new Error(`there is no bench ${name}`)
const figures = await bench.run(scale as Scale)
if (process.send === undefined) process.stdout.write(`${table(figures)}\n`)
else answerParent(figures)
