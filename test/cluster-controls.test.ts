import { describeControls } from './helpers/controls.ts'

/** Of nodes that know and ask each other, and of versions. */
describeControls([
  {
    protection: 'a node takes nothing before it has read the cancels kept for it',
    mutation: { file: 'runtime/supervise/across-children.js', from: "inlet.cancels === 'unread' || ", to: '' },
    file: 'runtime/across/control.test.js',
    test: 'takes nothing from the broker before',
  },
  {
    protection: 'a cancel of a job that is away is kept for others',
    mutation: { file: 'runtime/desk/changes.js', from: 'await cancelElsewhere(wires, [number]);', to: '' },
    file: 'runtime/across/control.test.js',
    test: 'although all workers were down',
  },
  {
    protection: 'a cancel of a job that is being sent is kept for others',
    mutation: { file: 'runtime/listeners.js', from: 'cancelHandedOver(wires, settles, stale);', to: '' },
    file: 'runtime/across/control.test.js',
    test: 'although it was just being sent',
  },
  {
    protection: 'what is enqueued again after a cancel is taken',
    mutation: {
      file: 'runtime/journal/crossing/crossing-statements.js',
      from: 'sent_before >= ?',
      to: '? IS NOT NULL',
    },
    file: 'runtime/journal/crossing/taken.test.js',
    test: 'enqueued it again since',
  },
  {
    protection: 'a cancel is written down before the node is ready',
    mutation: {
      file: 'runtime/cluster/kept-cancels.js',
      from: 'await this.#cancel(message.ids,',
      to: 'void this.#cancel(message.ids,',
    },
    file: 'runtime/cluster/kept-cancels.test.js',
    test: 'has written it down before it is ready',
  },
  {
    protection: 'nodes are remembered over a restart',
    mutation: { file: 'runtime/cluster/cluster.js', from: 'of this.#remembered.list()', to: 'of []' },
    file: 'runtime/cluster/kept-cancels.test.js',
    test: 'only from before its own restart',
  },
  {
    protection: 'a question is carried out once',
    mutation: { file: 'runtime/cluster/answering.js', from: 'this.#asked.has(id) || ', to: '' },
    file: 'runtime/cluster/cluster.test.js',
    test: 'carried out once although it comes twice',
  },
  {
    protection: 'a question that is too old is not carried out',
    mutation: { file: 'runtime/cluster/answering.js', from: '> timeoutMs + STALE_MS', to: '> Infinity' },
    file: 'runtime/cluster/cluster.test.js',
    test: 'not at all where it is too old',
  },
  {
    protection: 'the first answer of a node stands',
    mutation: { file: 'runtime/cluster/asks.js', from: 'question.replies.has(node) || ', to: '' },
    file: 'runtime/cluster/cluster.test.js',
    test: 'is not answered by those who were not asked, nor twice',
  },
  {
    protection: 'nobody else says that a node leaves',
    mutation: {
      file: 'runtime/cluster/cluster.js',
      from: 'if (message.node === this.#options.node)',
      to: 'if (false)',
    },
    file: 'runtime/cluster/cluster.test.js',
    test: 'is told where it cannot be used, and changes nothing',
  },
  {
    protection: 'its own stop is blamed on nobody',
    mutation: { file: 'runtime/cluster/cluster.js', from: 'this.#members.wasAway(awayMs, nowMs)', to: '' },
    file: 'runtime/cluster/cluster.test.js',
    test: 'because they were stopped themselves',
  },
  {
    protection: 'a node is not heard before it hears',
    mutation: { file: 'runtime/cluster/cluster.js', from: "this.#hears !== 'yes' || ", to: '' },
    file: 'runtime/cluster/cluster.test.js',
    test: 'that does not hear them yet',
  },
  {
    protection: 'a job that is too new does not run',
    mutation: { file: 'runtime/places/attempt/job-version.js', from: 'if (!tooNew(task, context.version))', to: '' },
    file: 'runtime/versions.test.js',
    test: 'too new for the loop',
  },
  {
    protection: 'a job that is too new is left to other nodes',
    mutation: { file: 'runtime/supervise/across-children.js', from: ' || tooNew(manifest, version)', to: '' },
    file: 'runtime/across/control.test.js',
    test: 'left by workers that do not know it',
  },
  {
    protection: 'a debounced job has the version of its last input',
    mutation: { file: 'runtime/journal/store/debounce.js', from: 'inputVersionOf(overrides)', to: '1' },
    file: 'runtime/versions.test.js',
    test: 'of the last input where a debounced job',
  },
])
