/** Public API of Millrace. */
export { MillraceError, PermanentError, type ErrorCode, type ErrorDetails } from '../lib/errors.ts'
export { defineTask, discard, handle, lazy, snooze } from '../lib/task.ts'
export type {
  AnyTask,
  AroundHook,
  ChildEnqueueOptions,
  Discard,
  EnqueueArguments,
  EnqueueOptions,
  Handler,
  HandlerOf,
  InputOf,
  JobKey,
  KeepHistory,
  LazyHandler,
  OutputOf,
  ParsedOf,
  Returned,
  Snooze,
  Task,
  TaskHandler,
  TaskManifest,
  TaskOptions,
  TaskPlace,
  TaskSettings,
  ThreadHook,
} from '../lib/task.ts'
export type { Json, JsonPrimitive } from '../lib/json.ts'
export type { StandardSchemaV1 } from '../lib/schema.ts'
export type { Backoff, RetryOptions, RetryPolicy } from '../lib/retry.ts'
export type { Context, ContextLog } from '../lib/context.ts'
export type { AttemptCounts, BreakerOptions, BreakerPolicy, Suspension } from '../lib/breaker.ts'
export type { LogLine } from '../lib/outcome.ts'
export type { ErrorRecord } from '../lib/error-record.ts'
export type { JobState } from '../lib/job-state.ts'
export type { AttemptRecord, JobFilter, JobPage, JobRecord, PageOptions, Priority, TaskSummary } from '../lib/job.ts'
export type { RescheduleOptions } from '../lib/enqueue.ts'
export type { Recycled, Resized, RuntimeEvent, RuntimeEvents } from '../lib/events.ts'
export type { Move, MoveEvidence } from '../lib/ladder.ts'
export type {
  KeyName,
  KeyOf,
  LimitKeys,
  LimitOptions,
  MaxWaiting,
  NamedKey,
  PartLimits,
  PlaceLimitOptions,
  PlaceLimits,
} from '../lib/limits.ts'
export type {
  Broker,
  BrokerEvent,
  BrokerSupports,
  Delivery,
  Headers,
  Message,
  OpenOptions,
  PublishResult,
  QueueSpec,
  Settlement,
  SettleResult,
  SubscribeOptions,
  Subscription,
  Verdict as DeliveryVerdict,
} from '../lib/broker.ts'
export type { RateLimit } from '../lib/rate-meter.ts'
export type { Ahead, Explanation, LimitReason, Reason } from '../lib/explanation.ts'
export type { Evidence, PlaceStatus, PlaceSummary, RunningJob, ThreadSummary } from '../lib/places.ts'
export type { RecycleCause, RecycleLimits, Usage } from '../lib/recycle.ts'
export type { Verdict } from '../lib/verdict.ts'
export type { AcrossOptions } from './config/across-config.ts'
export type { CustomBackoff } from './config/backoffs-config.ts'
export type {
  ElasticThreads,
  JournalConfig,
  LaneConfig,
  RecycleConfig,
  RuntimeOptions,
  TierConfig,
  WatchdogConfig,
} from './config/config.ts'
export type { PromotionConfig, RungConfig } from './config/promotion-config.ts'
export type { ResizeOptions } from './control/resize.ts'
export type { NodeFacts, Role } from '../lib/control-message.ts'
export type { VersionOptions } from '../lib/version.ts'
export type { NodeStatus } from '../lib/membership.ts'
export type { NodeAnswer } from './cluster/asks.ts'
export type { NodeSummary } from './cluster/cluster.ts'
export type { NodePlace } from './control/node-places.ts'
export type { AskOptions } from './control/nodes.ts'
export type { NodeAnswers, NodeRequest, NodeVerb } from './control/verbs.ts'
export type { PauseSubject } from './control/pauses.ts'
export { Database } from './journal/files/sqlite.ts'
export type { JournalPublisher, PublishedJob, PublisherOptions } from './publish/inbox-publisher.ts'
export type { EnqueuedMany } from './publish/many-run.ts'
export type { Transaction } from './publish/transaction.ts'
export { type SignalOptions, stopOnSignals } from './signals.ts'
export type { CancelOptions, Job, ResultOptions } from './publish/job-handle.ts'
export type { AckOptions } from './held-enqueue.ts'
export type { Runtime } from './runtime.ts'
export { createPublisher, createRuntime } from './create.ts'
export type { StopOptions } from './supervise/drain.ts'
