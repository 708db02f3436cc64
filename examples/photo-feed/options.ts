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
}

const FULL = { authors: 300, users: 1_000_000 } as const
const QUICK = { authors: 40, users: 200_000 } as const

export const HELP = `Photo feed: Instagram's task system in small, and a kill -9 in the middle of it.

npm run demo -- [options]
  --photos DIR   post the pictures of this folder instead of drawn ones
  --folder DIR   keep the files of the service there (it must be empty) instead of in a temporary folder
  --no-kill      let the service live
  --quick        ${QUICK.authors} authors and ${QUICK.users.toLocaleString('en')} users instead of ${FULL.authors} and ${FULL.users.toLocaleString('en')}; so it is where CI=true
  --help         this text`

/** Throws an error with a message for the user. */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      photos: { type: 'string' },
      folder: { type: 'string' },
      'no-kill': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: environment['CI'] === 'true' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    ...(values.quick ? QUICK : FULL),
    photos: values.photos,
    folder: values.folder,
    kill: values['no-kill'] ? 'never' : 'half-way',
  }
}
