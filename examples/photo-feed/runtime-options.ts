import type { RuntimeOptions } from 'millrace'
import { rabbitmq } from 'millrace/rabbitmq'
import { paths, type Settings } from './settings.ts'

const handlers = new URL('./handlers.js', import.meta.url)
const feedHandlers = new URL('./feed-handlers.js', import.meta.url)
const diaryHooks = new URL('./diary-hooks.js', import.meta.url)

const network = { concurrency: 200 }

/** The same service as one process, or as one of those that share a broker. */
export function runtimeOptions({ folder, node }: Settings): RuntimeOptions {
  const journal = { file: paths.journal(folder, node?.name) }
  if (node === undefined) {
    return {
      tasks: [handlers, feedHandlers],
      journal,
      tiers: { default: { threads: 2 }, feed: { threads: 1 } },
      lanes: { network },
    }
  }
  const shared = { journal, broker: rabbitmq({ urls: node.broker, prefix: node.prefix }) }
  switch (node.name) {
    case 'web':
      // It runs nothing: its places only say which queues there are.
      return { ...shared, role: 'publisher', tiers: { default: {}, feed: {} }, lanes: { network: {} } }
    case 'worker-1':
      return {
        ...shared,
        role: 'worker',
        tasks: [diaryHooks, handlers, feedHandlers],
        tiers: { default: { threads: 1 }, feed: { threads: 1 } },
        lanes: { network },
      }
    case 'worker-2':
      return {
        ...shared,
        role: 'worker',
        tasks: [diaryHooks, handlers],
        tiers: { default: { threads: 1 } },
        lanes: { network },
      }
  }
}
