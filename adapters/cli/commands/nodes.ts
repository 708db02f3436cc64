import { systemClock } from '../../../lib/clock.ts'
import { type NodeSummary, observeNodes } from '../../../runtime/cli-support.ts'
import { parseArguments, words } from '../arguments.ts'
import { BROKER_HELP, BROKER_OPTIONS, brokerOf } from '../broker-options.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { table } from '../text.ts'

const HELP = `Usage: millrace nodes --broker URL [OPTIONS]

Lists the nodes that say something within one beat, which takes 6 s. One that hangs or is down is not seen from outside;
runtime.nodes() of a node that runs for longer knows those too.

Options
${BROKER_HELP}
  --json                one JSON value a line, for programs

Exit codes
  0  listed, also where there is none
  2  wrong usage
  4  the broker cannot be used

Examples
  millrace nodes --broker amqp://localhost
  millrace nodes --json | jq -r 'select(.facts.role == "worker").node'`

const REACH_MS = 10_000

export const nodes: Command = {
  name: 'nodes',
  summary: 'lists the nodes of a broker',
  help: HELP,
  async run(args, { out, err }) {
    const { values, positionals } = parseArguments({
      args: [...args],
      allowPositionals: true,
      options: { ...BROKER_OPTIONS, json: { type: 'boolean', default: false } },
    })
    words(positionals, [])
    const seen = await observeNodes(await brokerOf(values), {
      clock: systemClock,
      timeoutMs: REACH_MS,
      refused: (error) => err(`warning: ${error.message}`),
    })
    if (values.json) for (const node of seen) out(JSON.stringify(node))
    else out(seen.length === 0 ? 'no nodes' : listed(seen))
    return exitCodes.ok
  },
}

const HEAD = ['NODE', 'ROLE', 'STATUS', 'HOST', 'PID', 'VERSION', 'PLACES', 'TASKS']

function listed(seen: readonly NodeSummary[]): string {
  const rows = seen.map(({ node, status, facts }) => [
    node,
    facts?.role ?? '',
    status,
    facts?.host ?? '',
    String(facts?.pid ?? ''),
    facts?.version ?? '',
    (facts?.places ?? []).join(','),
    String(facts?.tasks.length ?? ''),
  ])
  return table([HEAD, ...rows])
}
