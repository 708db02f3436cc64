/** Arguments: prefix, kind of queues, journal. A node that takes jobs and enqueues none, until its input ends. */
import { rabbitmq } from '../../adapters/rabbitmq/index.ts'
import { createRuntime } from '../../runtime/index.ts'
import { AMQP_URL, WINDOW } from '../amqplib-alone.ts'
import { serviceOptions } from '../service.ts'

const [prefix = '', queues = '', file = ''] = process.argv.slice(2)
const runtime = await createRuntime(
  serviceOptions(file, {
    role: 'worker',
    broker: rabbitmq({ urls: AMQP_URL, prefix, queues: queues === 'classic' ? 'classic' : 'quorum', window: WINDOW }),
  }),
)
process.stdin.once('close', () => void runtime.stop({ graceMs: 0 })).resume()
process.stdout.write('ready\n')
