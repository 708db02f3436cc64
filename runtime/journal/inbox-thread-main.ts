import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { InboxWriter } from './inbox-writer.ts'
import { recordOf, type StoredJob } from './record.ts'
import { assertSqliteVersion, openDatabase } from './sqlite.ts'

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
  send({ type: 'refused', error: toErrorRecord(error) })
  port.close()
}

function serve(file: string): void {
  const db = openDatabase(file, { fileMustExist: true, timeout: 10_000 })
  assertSqliteVersion(db)
  db.pragma('synchronous = FULL')
  // Only the owner checkpoints.
  db.pragma('wal_autocheckpoint = 0')
  const inbox = new InboxWriter(db)
  const name = db.prepare<[], string>('SELECT journal FROM millrace_meta').pluck().get() as string
  const write = (group: InboxGroup): void => {
    try {
      db.exec('BEGIN IMMEDIATE')
      inbox.checkVersion()
      const numbers = group.tasks.map((task, at) =>
        inbox.putEncoded(task, group.inputs[at] as string, group.createdAt, group.options[at] ?? null),
      )
      db.exec('COMMIT')
      send({ type: 'written', first: numbers[0] as number })
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      send({ type: 'refused', error: toErrorRecord(error) })
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
