import { across } from './across.ts'
import { backlog } from './backlog.ts'
import type { Bench } from './bench.ts'
import { callers } from './callers.ts'
import { celery } from './celery.ts'
import { ceiling } from './ceiling.ts'
import { cold } from './cold.ts'
import { drain } from './drain.ts'
import { endToEnd } from './end-to-end.ts'
import { enqueueMany } from './enqueue-many.ts'
import { enqueueOne } from './enqueue-one.ts'
import { kill } from './kill.ts'
import { latency } from './latency.ts'
import { micro } from './micro.ts'
import { mix } from './mix.ts'
import { mixed } from './mixed.ts'
import { rabbitmqBench } from './rabbitmq.ts'

/** Every bench, in the order of the table. */
export const benches: readonly Bench[] = [
  ceiling,
  endToEnd,
  drain,
  enqueueMany,
  enqueueOne,
  callers,
  latency,
  backlog,
  mixed,
  mix,
  kill,
  cold,
  rabbitmqBench,
  across,
  celery,
  micro,
]
