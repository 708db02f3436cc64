import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type ErrorRecord, toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { faultOf } from '../files/faults.ts'
import { refuseWithoutRoom } from './inbox-room.ts'
import { InboxWriter } from './inbox-writer.ts'
import { fileError } from '../files/file-error.ts'
import { CHECKPOINT_PAGES_OF_OTHERS, LOG_LIMIT_BYTES } from '../files/log-bounds.ts'
import { OwnLog, refuseRemovedLog } from '../files/own-log.ts'
import { refuseMissing } from '../tools/read-only.ts'
import { recordOf, type StoredJob } from '../store/record.ts'
import { refusalOf } from '../refusal.ts'
import { INBOX_NUMBERS_FROM } from '../schema/schema.ts'
import { assertSqliteVersion, type Database, openDatabase, prepareValue } from '../files/sqlite.ts'

/** Writes the inbox of a journal that another process owns, in groups, away from the publisher's event loop. */

export interface InboxThreadData {
  readonly file: string
}

export interface InboxGroup {
  readonly type: 'group'
  readonly tasks: readonly string[]
  readonly inputs: readonly string[]
  readonly options: readonly (string | null)[]
  readonly createdAt: number
}

export type ToInbox =
  | InboxGroup
  | { readonly type: 'record'; readonly request: number; readonly number: number }
  | { readonly type: 'close' }

/** Its row, or that its owner has not taken it yet; nothing where there is no trace of it. */
export type FoundJob = StoredJob | 'in the inbox' | undefined

export type FromInbox =
  | { readonly type: 'opened'; readonly journal: string }
  | { readonly type: 'written'; readonly first: number }
  | { readonly type: 'refused'; readonly error: ErrorRecord }
  | { readonly type: 'record'; readonly request: number; readonly job: FoundJob }

if (isMainThread || parentPort === null) throw new Error('the inbox thread is started by createPublisher')

const port = parentPort
const send = (message: FromInbox) => port.postMessage(message)

try {
  serve((workerData as InboxThreadData).file)
} catch (error) {
  const { file } = workerData as InboxThreadData
  send({ type: 'refused', error: toErrorRecord(fileError(error, file)) })
  port.close()
}

/** What a publisher tells its callers, as the owner would. */
function refusalFor(error: unknown): unknown {
  if (error instanceof MillraceError) return error
  return refusalOf(faultOf(error) ?? { kind: 'other', error: toErrorRecord(error) })
}

interface OpenInbox {
  readonly name: string
  write(group: InboxGroup): void
  record(number: number): FoundJob
  close(): void
}

function openInbox(file: string): OpenInbox {
  refuseMissing(file)
  refuseRemovedLog(file)
  const db = openDatabase(file, { fileMustExist: true, timeout: 10_000 })
  assertSqliteVersion(db)
  const inbox = new InboxWriter(db)
  inbox.checkVersion()
  // A backup that no owner has opened yet is not in it.
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES_OF_OTHERS}`)
  db.exec(`PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES}`)
  const log = new OwnLog(file)
  log.join(db)
  const isInInbox = prepareValue<[number], number>(db, 'SELECT 1 FROM millrace_inbox WHERE id = ?')
  return {
    name: prepareValue<[], string>(db, 'SELECT journal FROM millrace_meta').get() as string,
    write(group) {
      const first = commit(file, db, inbox, group)
      if (first === undefined) return
      // Ends this thread: whether the group is in the file nobody knows.
      log.check()
      send({ type: 'written', first })
    },
    // The inbox before the rows: a commit of the owner may move it from there to here between the two.
    record: (number) =>
      isInInbox.get(number - INBOX_NUMBERS_FROM) === undefined ? recordOf(db, number) : 'in the inbox',
    close() {
      log.close()
      db.close()
    },
  }
}

/** Returns the number of the first job; the others follow. Without one the group is refused, and that is told. */
function commit(file: string, db: Database, inbox: InboxWriter, group: InboxGroup): number | undefined {
  try {
    refuseWithoutRoom(file)
    db.exec('BEGIN IMMEDIATE')
    inbox.checkVersion()
    const numbers = group.tasks.map((task, at) =>
      inbox.putEncoded(task, group.inputs[at] as string, group.createdAt, group.options[at] ?? null),
    )
    db.exec('COMMIT')
    return numbers[0]
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK')
    send({ type: 'refused', error: toErrorRecord(refusalFor(error)) })
    return undefined
  }
}

function serve(file: string): void {
  const inbox = openInbox(file)
  port.on('message', (first: ToInbox) => {
    for (
      let message: ToInbox | undefined = first;
      message !== undefined;
      message = (receiveMessageOnPort(port) as { message: ToInbox } | undefined)?.message
    ) {
      if (message.type === 'group') inbox.write(message)
      else if (message.type === 'record') {
        send({ type: 'record', request: message.request, job: inbox.record(message.number) })
      } else {
        inbox.close()
        return port.close()
      }
    }
  })
  send({ type: 'opened', journal: inbox.name })
}
