import type { Broker } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { divided } from '../../lib/divided.ts'
import { rotation } from '../../lib/rotation.ts'
import { Cluster } from './cluster.ts'
import { controlSettingsOf, type RabbitmqOptions, type Settings, settingsOf } from './options.ts'

export type { RabbitmqOptions } from './options.ts'

/**
 * A RabbitMQ broker, or several at once, by the package `amqplib`, which you install. Nothing is connected before `open`.
 * Options that cannot be used are refused here.
 */
export function rabbitmq(options: RabbitmqOptions): Broker {
  const control = controlSettingsOf(options)
  const work = clustersOf(settingsOf(options))
  return control === undefined ? work : divided({ work, control: clustersOf(control) })
}

function clustersOf(settings: Settings): Broker {
  const clusters = settings.clusters.map((addresses) => new Cluster(settings, addresses, systemClock))
  return rotation(clusters, { timeoutMs: settings.publishTimeoutMs })
}
