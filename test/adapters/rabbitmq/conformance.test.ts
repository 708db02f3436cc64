// needs-program: rabbitmq-server
import { describe } from 'node:test'
import { brokerConformance } from '../../../conformance/index.ts'
import { rabbitRig } from '../../helpers/rabbit-rig.ts'
import { anyRabbit, forSuite } from '../../helpers/rabbitmq.ts'

describe('the conformance of RabbitMQ', () => {
  const server = forSuite(anyRabbit)

  for (const queues of ['quorum', 'classic'] as const) {
    brokerConformance(`RabbitMQ with ${queues} queues`, async () =>
      rabbitRig(server(), { queues }, 'the server that runs here serves others; faults.test.ts kills one of its own'),
    )
  }
})
