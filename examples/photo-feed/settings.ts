import { join } from 'node:path'

/** What the service is told by its environment, which its threads inherit. */
export interface Settings {
  readonly folder: string
  readonly users: number
  /** Where cross-posts go. */
  readonly network: string
}

export function toEnvironment({ folder, users, network }: Settings): Record<string, string> {
  return { PHOTO_FEED_FOLDER: folder, PHOTO_FEED_USERS: String(users), PHOTO_FEED_NETWORK: network }
}

export function fromEnvironment(): Settings {
  return {
    folder: told('PHOTO_FEED_FOLDER'),
    users: Number(told('PHOTO_FEED_USERS')),
    network: told('PHOTO_FEED_NETWORK'),
  }
}

function told(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set; the demo sets it: npm run demo`)
  return value
}

/** Where things are in the folder of the service. */
export const paths = {
  journal: (folder: string) => join(folder, 'jobs.db'),
  feeds: (folder: string) => join(folder, 'feeds.bin'),
  original: (folder: string, photo: number) => join(folder, 'originals', `${photo}.jpg`),
  thumbnail: (folder: string, photo: number, width: number) => join(folder, 'thumbnails', `${photo}-${width}.jpg`),
} as const
