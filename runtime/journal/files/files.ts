import { closeSync, existsSync, fchownSync, lstatSync, mkdirSync, openSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'

/** Everything that stands beside a journal of this name. */
export function journalFiles(file: string) {
  return {
    main: file,
    wal: `${file}-wal`,
    shm: `${file}-shm`,
    lock: `${file}.lock`,
    starts: `${file}.starts`,
    mark: `${file}.mark`,
    reserve: `${file}.reserve`,
  }
}

/**
 * Magic numbers of file systems whose locks or shared memory SQLite cannot rely on (statfs(2)). 9p is none of them: sandboxes
 * such as gVisor have their own disk on it.
 */
const NETWORK_FILESYSTEMS = new Map([
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x517b, 'smb'],
  [0x65735546, 'fuse'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'afs'],
  [0x0bd00bd0, 'lustre'],
])

/**
 * Makes the journal's directory (0700) and file (0600) if they are not there, and refuses links, foreign owners and
 * network file systems. It must run before any connection is open: closing a file drops every POSIX lock that the
 * process holds on it, so an existing file is only looked at, never opened. What has been linked since its owner opened it is
 * a copy that somebody makes.
 */
export function prepareFiles(path: string, owner: 'new' | 'same' = 'new'): string {
  const file = resolve(path)
  const directory = dirname(file)
  makeDirectory(directory)
  refuseDirectory(file)
  refuseSymbolicLinks(file)
  if (owner === 'new') refuseHardLinks(file)
  const { main, lock, ...others } = journalFiles(file)
  for (const each of [main, lock, ...Object.values(others)]) refuseForeignOwner(each)
  refuseNetwork(directory)
  create(main)
  createBeside(main, lock)
  return file
}

/**
 * Makes a file beside the journal, unless it is there. It belongs to whom the journal belongs to, also where root opens it,
 * as somebody does who repairs a service: the service could not use its files otherwise.
 */
export function createBeside(main: string, path: string): void {
  create(path, (descriptor) => {
    if (process.getuid?.() !== 0) return
    const { uid, gid } = statSync(main)
    fchownSync(descriptor, uid, gid)
  })
}

/**
 * Refuses a journal of which a file is a link: SQLite has its log beside the name that it is given, and we the lock, so that
 * two names of one journal could have two owners. Links in the path to its directory lead to one place and are followed.
 */
export function refuseLinks(file: string): void {
  refuseSymbolicLinks(file)
  refuseHardLinks(file)
}

function refuseSymbolicLinks(file: string): void {
  for (const path of Object.values(journalFiles(file))) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue
    throw new MillraceError(
      'MILLRACE_JOURNAL_UNSAFE_FILE',
      `${path} is a symbolic link; expected a real file; name the journal by its real path`,
    )
  }
}

function refuseHardLinks(file: string): void {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat?.isFile() === true && stat.nlink > 1) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_UNSAFE_FILE',
      `${file} has hard links; got ${stat.nlink} names of one file, expected one; remove the others, or make them copies`,
    )
  }
}

/** One by one: what Node makes at once it tries without end where the system has no such place, as below /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!existsSync(path)) throw error
  }
}

function refuseForeignOwner(path: string): void {
  const user = process.getuid?.()
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (user !== undefined && user !== 0 && stat?.isFile() === true && stat.uid !== user) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_UNSAFE_FILE',
      `${path} belongs to user ${stat.uid}; expected user ${user}; run as its owner or choose another file`,
    )
  }
}

function refuseDirectory(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `the option journal.file cannot be used; got the directory ${path}, expected the path of a file; name a file in it`,
    { path: 'journal.file' },
  )
}

function refuseNetwork(directory: string): void {
  const type = NETWORK_FILESYSTEMS.get(statfsSync(directory).type)
  if (type !== undefined) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_FILESYSTEM',
      `${directory} is on ${type}, whose locks SQLite cannot rely on; put the journal on a local disk`,
    )
  }
}

function create(path: string, made: (descriptor: number) => void = () => undefined): void {
  let descriptor: number
  try {
    descriptor = openSync(path, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw error
  }
  try {
    made(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
