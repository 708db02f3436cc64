import { parseArgs } from 'node:util'

export interface Options {
  readonly authors: number
  /** All of whom follow the celebrity. */
  readonly users: number
  /** A folder of pictures; without one they are drawn. */
  readonly photos: string | undefined
  /** Where the service keeps its files; without one it is a temporary folder. */
  readonly folder: string | undefined
  readonly kill: 'half-way' | 'never'
  /** The URL of a RabbitMQ that three processes share; without one a single process does everything. */
  readonly broker: string | undefined
}

const FULL = { authors: 300, users: 1_000_000 } as const
/** RabbitMQ and two more processes want their part of the same machine. */
const SHARED = { authors: 100, users: 300_000 } as const
const QUICK = { authors: 40, users: 200_000 } as const

function shown({ authors, users }: { readonly authors: number; readonly users: number }): string {
  return `${authors} authors and ${users.toLocaleString('en')} users`
}

/** What the demo ends with where the broker's URL cannot be used or nobody answers there; as that of the command line. */
export const UNUSABLE_BROKER = 4

export const HELP = `Photo feed: Instagram's task system in small, and a kill -9 in the middle of it.

npm run demo -- [options]
  --photos DIR   post the pictures of this folder instead of drawn ones
  --folder DIR   keep the files of the service there (it must be empty) instead of in a temporary folder
  --broker URL   a web process and two workers that share this RabbitMQ (amqp://user:password@host:5672/vhost), and one
                 worker is killed; its queues have a prefix of their own, and are deleted in the end. Without it the
                 environment's PHOTO_FEED_BROKER, which keeps a password out of the list of processes
  --no-kill      let them live
  --quick        ${shown(QUICK)} instead of ${shown(FULL)} (with a broker
                 ${shown(SHARED)})
  --help         this text

It ends with 0 if all is well, 1 if not or if it was used wrongly, ${UNUSABLE_BROKER} if the broker cannot be used, 130 when stopped.`

/** Throws an error with a message for the user. */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      broker: { type: 'string' },
      photos: { type: 'string' },
      folder: { type: 'string' },
      'no-kill': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const broker = values.broker ?? environment['PHOTO_FEED_BROKER']
  const whole = broker === undefined ? FULL : SHARED
  return {
    ...(values.quick ? QUICK : whole),
    photos: values.photos,
    folder: values.folder,
    kill: values['no-kill'] ? 'never' : 'half-way',
    broker,
  }
}
