// needs-program: rabbitmq-server
import { describe } from 'node:test'
import { acrossCases } from '../../helpers/across-cases.ts'
import { anyRabbit, forSuite } from '../../helpers/rabbitmq.ts'
import { sharedRabbits } from '../../helpers/shared-rabbit.ts'

describe('nodes that share RabbitMQ', () => {
  const share = sharedRabbits()
  const server = forSuite(anyRabbit)
  acrossCases(() => share(server().url))
})
