import { duration, invalidOption, oneOf, refuseUnknown, wholeNumber } from '../../lib/options.ts'
import { type Address, linkName, parseAddress } from './address.ts'

export interface RabbitmqOptions {
  /**
   * One URL or several, like `amqp://user:password@host:5672/vhost`. Each is a cluster of its own, and messages go to all
   * of them in turn; a list within the list names the nodes of one cluster, of which one is used at a time.
   */
  readonly urls: string | readonly (string | readonly string[])[]
  /** In front of the names of all queues and exchanges. Default: `millrace.` */
  readonly prefix?: string
  /** Default: 'quorum'. 'classic' queues are durable too, know priorities, and are not replicated. */
  readonly queues?: 'quorum' | 'classic'
  /** 'passive': queues and exchanges are made by somebody else, and only looked for. Default: 'active'. */
  readonly declare?: 'active' | 'passive'
  /** Messages of a connection that are sent and not confirmed. Default: 500. */
  readonly window?: number
  /** How long a message may take until it is unconfirmed. Default: 10,000. */
  readonly publishTimeoutMs?: number
  /** A connection that is silent for two of these is lost. Whole seconds. Default: 10,000. */
  readonly heartbeatMs?: number
  /** Where nodes are asked and tell of themselves, if that shall be apart from the jobs; all else is as for those. */
  readonly control?: { readonly urls: RabbitmqOptions['urls'] }
}

/** The options as the adapter uses them. */
export interface Settings {
  /** The nodes of each cluster. */
  readonly clusters: readonly (readonly Address[])[]
  readonly prefix: string
  readonly queues: 'quorum' | 'classic'
  readonly declare: 'active' | 'passive'
  readonly window: number
  readonly publishTimeoutMs: number
  readonly heartbeatMs: number
  /** How often a queue from which nothing comes is asked whether it is empty. */
  readonly silenceMs: number
}

const SILENCE_MS = 15_000
const KNOWN = ['urls', 'prefix', 'queues', 'declare', 'window', 'publishTimeoutMs', 'heartbeatMs', 'control'] as const
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/
const SECOND_MS = 1_000

/** Refuses what cannot be used, with its path, and never with a URL. */
export function settingsOf(options: RabbitmqOptions): Settings {
  refuseUnknown(options, KNOWN, '')
  const { prefix = 'millrace.', queues = 'quorum', declare = 'active' } = options
  const { window = 500, publishTimeoutMs = 10_000, heartbeatMs = 10_000 } = options
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw invalidOption('prefix', prefix, 'up to 32 letters, digits and ._- like millrace.')
  }
  if (duration(publishTimeoutMs, 'publishTimeoutMs') < 1) {
    throw invalidOption('publishTimeoutMs', publishTimeoutMs, 'milliseconds from 1')
  }
  if (wholeNumber(heartbeatMs, SECOND_MS, 600 * SECOND_MS, 'heartbeatMs') % SECOND_MS !== 0) {
    throw invalidOption('heartbeatMs', heartbeatMs, 'whole seconds, since that is what is agreed with the broker')
  }
  return {
    clusters: clustersOf(options.urls, 'urls'),
    prefix,
    queues: oneOf(queues, ['quorum', 'classic'], 'queues'),
    declare: oneOf(declare, ['active', 'passive'], 'declare'),
    window: wholeNumber(window, 1, 65_535, 'window'),
    publishTimeoutMs,
    heartbeatMs,
    silenceMs: SILENCE_MS,
  }
}

/** The same for `control`, where it is apart. */
export function controlSettingsOf(options: RabbitmqOptions): Settings | undefined {
  const { control } = options
  if (control === undefined) return undefined
  refuseUnknown(control, ['urls'], 'control.')
  return { ...settingsOf(options), clusters: clustersOf(control.urls, 'control.urls') }
}

function clustersOf(urls: RabbitmqOptions['urls'], path: string): Settings['clusters'] {
  const list = typeof urls === 'string' ? [urls] : urls
  if (!Array.isArray(list) || list.length === 0) throw invalidOption(path, undefined, 'a URL, or a list of them')
  const clusters = list.map((entry, at) => {
    const nodes: readonly unknown[] = Array.isArray(entry) ? entry : [entry]
    if (nodes.length === 0) throw invalidOption(`${path}[${at}]`, 'an empty list', 'at least one URL')
    return nodes.map((url, node) =>
      parseAddress(url, Array.isArray(entry) ? `${path}[${at}][${node}]` : `${path}[${at}]`),
    )
  })
  const names = clusters.flat().map(linkName)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw invalidOption(path, twice, 'each node once')
  return clusters
}
