import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { faultOf } from './faults.ts'
import { refuseWithoutRoom } from './inbox-room.ts'
import { InboxWriter } from './inbox-writer.ts'
import { fileError } from './file-error.ts'
import { refuseMissing } from './read-only.ts'
import { recordOf, type StoredJob } from './record.ts'
import { refusalOf } from './refusal.ts'
import { assertSqliteVersion, openDatabase, prepareValue } from './sqlite.ts'

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

export type FromInbox =
  | { readonly type: 'opened'; readonly journal: string }
  | { readonly type: 'written'; readonly first: number }
  | { readonly type: 'refused'; readonly error: ErrorRecord }
  | { readonly type: 'record'; readonly request: number; readonly job: StoredJob | undefined }
  | { readonly type: 'closed' }

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

function serve(file: string): void {
  refuseMissing(file)
  const db = openDatabase(file, { fileMustExist: true, timeout: 10_000 })
  assertSqliteVersion(db)
  db.exec('PRAGMA synchronous = FULL')
  // Only the owner checkpoints.
  db.exec('PRAGMA wal_autocheckpoint = 0')
  const inbox = new InboxWriter(db)
  inbox.checkVersion()
  const name = prepareValue<[], string>(db, 'SELECT journal FROM millrace_meta').get() as string
  const write = (group: InboxGroup): void => {
    try {
      refuseWithoutRoom(file)
      db.exec('BEGIN IMMEDIATE')
      inbox.checkVersion()
      const numbers = group.tasks.map((task, at) =>
        inbox.putEncoded(task, group.inputs[at] as string, group.createdAt, group.options[at] ?? null),
      )
      db.exec('COMMIT')
      send({ type: 'written', first: numbers[0] as number })
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      send({ type: 'refused', error: toErrorRecord(refusalFor(error)) })
    }
  }
  port.on('message', (first: ToInbox) => {
    for (
      let message: ToInbox | undefined = first;
      message !== undefined;
      message = (receiveMessageOnPort(port) as { message: ToInbox } | undefined)?.message
    ) {
      if (message.type === 'group') write(message)
      else if (message.type === 'record') {
        send({ type: 'record', request: message.request, job: recordOf(db, message.number) })
      } else {
        db.close()
        send({ type: 'closed' })
        return port.close()
      }
    }
  })
  send({ type: 'opened', journal: name })
}
