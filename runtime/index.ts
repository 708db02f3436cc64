/** Public API of Millrace. */
export { MillraceError, PermanentError, type ErrorCode } from '../lib/errors.ts'
export { defineTask, discard, handle, lazy, snooze } from '../lib/task.ts'
export type {
  Discard,
  EnqueueArguments,
  EnqueueOptions,
  Handler,
  HandlerOf,
  InputOf,
  KeepHistory,
  OutputOf,
  Snooze,
  Task,
  TaskHandler,
} from '../lib/task.ts'
export type { Json } from '../lib/json.ts'
export type { Context } from '../lib/context.ts'
export type { JobFilter, JobPage, JobRecord, TaskSummary } from '../lib/job.ts'
export type { RuntimeEvents } from '../lib/events.ts'
export type { JournalConfig, LaneConfig, RuntimeOptions, TierConfig } from './config.ts'
export { Database } from './journal/sqlite.ts'
export {
  createPublisher,
  type JournalPublisher,
  type PublishedJob,
  type PublisherOptions,
} from './publish/inbox-publisher.ts'
export type { Transaction } from './publish/transaction.ts'
export { stopOnSignals } from './signals.ts'
export { Job } from './publish/job-handle.ts'
export { createRuntime, Runtime } from './runtime.ts'
