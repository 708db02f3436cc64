import { join } from 'node:path'

/** The processes that share a broker. Of the workers the first one alone writes the feeds. */
export const NODES = ['web', 'worker-1', 'worker-2'] as const
export const WORKERS = ['worker-1', 'worker-2'] as const

export type NodeName = (typeof NODES)[number]

/** Which of the processes it is, and where their broker is. */
export interface NodeSettings {
  readonly name: NodeName
  readonly broker: string
  /** In front of the names of this run's queues. */
  readonly prefix: string
}

/** What the service is told by its environment, which its threads inherit. */
export interface Settings {
  readonly folder: string
  readonly users: number
  /** Where cross-posts go. */
  readonly network: string
  /** `undefined` where one process does everything. */
  readonly node?: NodeSettings
}

export function toEnvironment({ folder, users, network, node }: Settings): Record<string, string> {
  return {
    PHOTO_FEED_FOLDER: folder,
    PHOTO_FEED_USERS: String(users),
    PHOTO_FEED_NETWORK: network,
    ...(node !== undefined && {
      PHOTO_FEED_NODE: node.name,
      PHOTO_FEED_BROKER: node.broker,
      PHOTO_FEED_PREFIX: node.prefix,
    }),
  }
}

export function fromEnvironment(): Settings {
  return {
    folder: told('PHOTO_FEED_FOLDER'),
    users: Number(told('PHOTO_FEED_USERS')),
    network: told('PHOTO_FEED_NETWORK'),
    ...(process.env['PHOTO_FEED_NODE'] !== undefined && { node: nodeFromEnvironment() }),
  }
}

function nodeFromEnvironment(): NodeSettings {
  return {
    name: told('PHOTO_FEED_NODE') as NodeName,
    broker: told('PHOTO_FEED_BROKER'),
    prefix: told('PHOTO_FEED_PREFIX'),
  }
}

function told(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set; the demo sets it: npm run demo`)
  return value
}

/** Where things are in the folder of the service. */
export const paths = {
  /** Each node has one of its own. */
  journal: (folder: string, node?: NodeName) => join(folder, node === undefined ? 'jobs.db' : `${node}.db`),
  diary: (folder: string, node: NodeName) => join(folder, `${node}.diary`),
  feeds: (folder: string) => join(folder, 'feeds.bin'),
  original: (folder: string, photo: number) => join(folder, 'originals', `${photo}.jpg`),
  thumbnail: (folder: string, photo: number, width: number) => join(folder, 'thumbnails', `${photo}-${width}.jpg`),
} as const
