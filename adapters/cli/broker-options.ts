import type { Broker } from '../../lib/broker.ts'
import { MillraceError } from '../../lib/errors.ts'

/** The options of every command that speaks to a broker, for `parseArguments`. */
export const BROKER_OPTIONS = {
  broker: { type: 'string', multiple: true },
  control: { type: 'string', multiple: true },
  prefix: { type: 'string' },
} as const

/** What `--help` says of them. */
export const BROKER_HELP = `  --broker URL          amqp://user:password@host:5672/vhost; again for each independent cluster. Without it the
                        environment's MILLRACE_BROKER, which keeps a password out of the list of processes
  --control URL         where nodes are asked and tell of themselves, if that is apart from the jobs
  --prefix P            in front of the names of queues; default millrace.`

export interface BrokerValues {
  readonly broker?: readonly string[] | undefined
  readonly control?: readonly string[] | undefined
  readonly prefix?: string | undefined
}

/** The broker that these options name; its adapter is loaded only now. */
export async function brokerOf({ broker, control, prefix }: BrokerValues): Promise<Broker> {
  const urls = broker ?? fromEnvironment()
  const { rabbitmq } = await import('../rabbitmq/index.ts')
  return rabbitmq({
    urls,
    ...(control !== undefined && { control: { urls: control } }),
    ...(prefix !== undefined && { prefix }),
  })
}

function fromEnvironment(): readonly string[] {
  const { MILLRACE_BROKER: url } = process.env
  if (url !== undefined && url !== '') return [url]
  throw new MillraceError('MILLRACE_CLI', 'got no broker, expected --broker URL or MILLRACE_BROKER; look at --help', {
    path: '--broker',
  })
}
