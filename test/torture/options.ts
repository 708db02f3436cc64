import { parseArgs } from 'node:util'

export const HELP = `npm run torture -- rabbitmq [--minutes N] [--seed S] [--queues quorum|classic] [--nodes 1|3]
npm run torture -- kill [--cycles N]

rabbitmq  Starts a RabbitMQ of its own, or a cluster of three, four processes with 20 publishers in all and three
          worker processes. Kills all of them at random (kill -9), and starts them again on the same disk. Then everything
          is worked off, and the ledgers say what became of each job. It needs Debian's rabbitmq-server.

  --minutes   how long the killing lasts (10)
  --seed      whom it kills and when, where a machine repeats itself (at random)
  --queues    quorum or classic; classic ones are not replicated, so with one node only (quorum)
  --nodes     1, or 3 that are killed in turn (1)

kill      Kills one service with a journal, over and over.

  --cycles    how often (500)

  --help      this text

Ctrl-C ends it, and prints what is known by then. Ends with 0 when nothing is lost, with 1 when something is: then journals
and ledgers are kept, and it says where. With 2 for wrong arguments, with 130 after Ctrl-C.
`

export type Wanted =
  | { readonly what: 'help' }
  | { readonly what: 'kill'; readonly cycles: number }
  | {
      readonly what: 'rabbitmq'
      readonly minutes: number
      readonly seed: number
      readonly queues: 'quorum' | 'classic'
      readonly nodes: 1 | 3
    }

const SEEDS = 2 ** 32

export function wanted(args: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      queues: { type: 'string' },
      nodes: { type: 'string' },
      cycles: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return { what: 'help' }
  const [what, ...more] = positionals
  if (more.length > 0 || (what !== 'rabbitmq' && what !== 'kill')) {
    throw new Error(`got '${positionals.join(' ')}', expected rabbitmq or kill`)
  }
  if (what === 'kill') return { what, cycles: whole(values.cycles ?? '500', '--cycles', 1, 1e6) }
  const queues = oneOf(values.queues ?? 'quorum', '--queues', ['quorum', 'classic'])
  const nodes = oneOf(values.nodes ?? '1', '--nodes', ['1', '3']) === '1' ? 1 : 3
  if (queues === 'classic' && nodes === 3) {
    throw new Error('--queues classic with --nodes 3: classic queues are on one node only; leave out one of the two')
  }
  const minutes = Number(values.minutes ?? '10')
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new Error(`--minutes: got ${values.minutes}, expected up to 1440`)
  const seed = whole(values.seed ?? String(Math.floor(Math.random() * SEEDS)), '--seed', 0, SEEDS - 1)
  return { what, minutes, seed, queues, nodes }
}

function whole(given: string, name: string, least: number, most: number): number {
  const number = Number(given)
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new Error(`${name}: got ${given}, expected a whole number from ${least} to ${most}`)
  }
  return number
}

function oneOf<const T extends string>(given: string, name: string, choices: readonly T[]): T {
  const choice = choices.find((each) => each === given)
  if (choice === undefined) throw new Error(`${name}: got ${given}, expected ${choices.join(' or ')}`)
  return choice
}
