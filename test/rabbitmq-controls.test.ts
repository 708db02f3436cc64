// needs-program: rabbitmq-server
import { describeControls } from './helpers/controls.ts'

describeControls([
  {
    protection: 'what no queue takes comes back',
    mutation: { file: 'adapters/rabbitmq/wire.js', from: 'mandatory: true', to: 'mandatory: false' },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'give back what no queue takes',
  },
  {
    protection: 'what came back is not held, although it is confirmed',
    mutation: {
      file: 'adapters/rabbitmq/publisher.js',
      from: "group.answer(index, returned === 'yes' ? UNROUTABLE : result)",
      to: 'group.answer(index, result)',
    },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'give back what no queue takes',
  },
  {
    protection: 'a message is held when it is confirmed, not when it is sent',
    mutation: {
      file: 'adapters/rabbitmq/publisher.js',
      from: 'this.#sent.set(++this.#lastTag, entry);',
      to: 'this.#sent.set(++this.#lastTag, entry); entry.group.answer(entry.index, HELD);',
    },
    file: 'adapters/rabbitmq/network.test.js',
    test: 'stop in the middle of a frame',
  },
  {
    protection: 'the broker gives no more than the prefetch',
    mutation: { file: 'adapters/rabbitmq/session.js', from: 'await this.#channel.prefetch(prefetch);', to: '' },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'leaves to others',
  },
  {
    protection: 'no more than the prefetch is handed out while it is changed',
    mutation: { file: 'adapters/rabbitmq/session.js', from: 'if (this.#held < this.#wanted)', to: 'if (true)' },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'raises, lowers and pauses',
  },
  {
    protection: 'acknowledgements are not lost with their channel',
    mutation: { file: 'adapters/rabbitmq/session.js', from: 'await this.#channel.cancel(tag);', to: '' },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'also of the latest',
  },
  {
    protection: 'more room is one more consumer, not another one',
    mutation: {
      file: 'adapters/rabbitmq/session.js',
      from: 'await this.#add(lacking);',
      to: '{ while (this.#shares.length > 0) await this.#removeLast(); await this.#add(this.#wanted); }',
    },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'because more room is given',
  },
  {
    protection: 'a wish for room that comes as another one is met is met too',
    mutation: {
      file: 'adapters/rabbitmq/session.js',
      from: 'this.#tuning = undefined;',
      to: 'queueMicrotask(() => { this.#tuning = undefined; });',
    },
    file: 'adapters/rabbitmq/session.test.js',
    test: 'whenever that came',
  },
  {
    protection: 'what a lost channel has orphaned is not acknowledged on the next one',
    mutation: { file: 'adapters/rabbitmq/session.js', from: "delivery.state = 'orphaned';", to: '' },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'names the deliveries that are orphaned',
  },
  {
    protection: 'one frame acknowledges only what is below everything unsettled',
    mutation: { file: 'adapters/rabbitmq/session.js', from: 'if (delivery.tag > lowest)', to: 'if (false)' },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'never delivers again what is done',
  },
  {
    protection: 'a message is acknowledged only when the one in its place is held',
    mutation: {
      file: 'adapters/rabbitmq/subscription.js',
      from: "else if (because.type === 'held')",
      to: 'else if (true)',
    },
    file: 'adapters/rabbitmq/conformance.test.js',
    test: 'puts another message in the place',
  },
  {
    protection: 'what is no message of ours is not delivered',
    mutation: { file: 'adapters/rabbitmq/session.js', from: 'envelope instanceof MillraceError', to: 'false' },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'no message of ours',
  },
  {
    protection: 'what is unsettled stays so when its queue is deleted',
    mutation: {
      file: 'adapters/rabbitmq/session.js',
      from: 'this.#owner.cancelled();',
      to: "this.#end(() => this.#owner.ended('cancelled'));",
    },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'can be settled still',
  },
  {
    protection: 'a silent queue is noticed',
    mutation: { file: 'adapters/rabbitmq/silence.js', from: 'messageCount > 0', to: 'false' },
    file: 'adapters/rabbitmq/network.test.js',
    test: 'does not stay silent',
  },
  {
    protection: 'a connection that does not confirm is given up',
    mutation: { file: 'adapters/rabbitmq/publisher.js', from: 'now >= this.#answerDueMs()', to: 'now < 0' },
    file: 'adapters/rabbitmq/network.test.js',
    test: 'stop in the middle of a frame',
  },
  {
    protection: 'a connection that does not confirm is given up also when nobody waits for it any more',
    mutation: {
      file: 'adapters/rabbitmq/publisher.js',
      from: '?? Number.POSITIVE_INFINITY, this.#answerDueMs())',
      to: '?? Number.POSITIVE_INFINITY)',
    },
    file: 'adapters/rabbitmq/network.test.js',
    test: 'fall silent once somebody has waited',
  },
  {
    protection: 'a channel that refuses everything is made anew',
    mutation: {
      file: 'adapters/rabbitmq/publisher.js',
      from: 'now - this.#refusingSinceMs >= REFUSING_MS',
      to: 'now < 0',
    },
    file: 'adapters/rabbitmq/topology.test.js',
    test: 'may be full',
  },
  {
    protection: 'a connection of the past changes nothing',
    mutation: {
      file: 'adapters/rabbitmq/link-state.js',
      from: "input.type === 'open' || input.attempt !== state.attempt",
      to: "input.type === 'open'",
    },
    file: 'adapters/rabbitmq/link-state.test.js',
    test: 'try of the past',
  },
  {
    protection: 'passwords are taken out of what others say',
    mutation: { file: 'adapters/rabbitmq/address.js', from: "cleaned.replaceAll(secret, '***')", to: 'cleaned' },
    file: 'adapters/rabbitmq/options.test.js',
    test: 'takes its password out',
  },
  {
    protection: 'what one broker has not confirmed is sent to another',
    mutation: {
      file: 'lib/rotation.js',
      from: 'left = left.filter((index) => isForOthers(results[index]))',
      to: 'left = []',
    },
    file: 'lib/rotation.test.js',
    test: 'sends what one has not confirmed',
  },
])
