import { describeControls } from './helpers/controls.ts'

const CUTS = 'runtime/across/cuts.test.js'
const NODES = 'runtime/across/nodes.test.js'

describeControls([
  {
    protection: 'the journal comes first, the broker second',
    mutation: {
      file: 'runtime/supervise/tree.js',
      from: 'takenOf: (number) => across.deliveries.of(number),',
      to: `takenOf: (number) => {
        const taken = across.deliveries.of(number);
        const told = across.deliveries.ended(number, { type: 'done' }, 0);
        if (told !== undefined) across.verdicts.tell([told]);
        return taken;
      },`,
    },
    file: CUTS,
    test: 'is written as ended before the broker is told',
  },
  {
    protection: 'what somebody may have died of is sent again with its count',
    mutation: { file: 'runtime/intake/judge.js', from: 'if (redelivered || returns > 0)', to: 'if (false)' },
    file: CUTS,
    test: 'sent again with its count',
  },
  {
    protection: 'what has ended here is remembered',
    mutation: { file: 'runtime/journal/crossing/taken.js', from: 'if (known.until <= now)', to: 'if (true)' },
    file: CUTS,
    test: 'does not run it again',
  },
  {
    protection: 'the newer delivery of what runs is the one to be settled',
    mutation: { file: 'runtime/journal/crossing/taken.js', from: 'job.claim === claim ?', to: 'false ?' },
    file: CUTS,
    test: 'settles it by the delivery that comes instead',
  },
  {
    protection: 'what a broker has taken back does not start',
    mutation: { file: 'runtime/dispatch/dispatcher.js', from: 'isLost?.(job.number) === true', to: 'false' },
    file: CUTS,
    test: 'drops what has not started',
  },
  {
    protection: 'an outcome waits in the queue of its node',
    mutation: { file: 'runtime/listeners.js', from: 'wires.across?.homeward.add(homes)', to: 'undefined' },
    file: NODES,
    test: 'came while its node was away',
  },
  {
    protection: 'an outcome says that its job was handed over',
    mutation: {
      file: 'runtime/journal/crossing/crossing-statements.js',
      from: /\(\$\{guard\('come-home'\)\} OR .*\)`/,
      to: "${guard('come-home')}`",
    },
    file: CUTS,
    test: 'before its job is known to be held',
  },
  {
    protection: 'outcomes come home when somebody may listen',
    mutation: {
      file: 'runtime/supervise/link-child.js',
      from: /broker\.subscribe\(replyQueue\(across\), \{\s*prefetch: 0/,
      to: 'broker.subscribe(replyQueue(across), { prefetch: 20',
    },
    file: NODES,
    test: 'came while its node was away',
  },
  {
    protection: 'the keys of a job go with it',
    mutation: { file: 'runtime/outbox/job-message.js', from: '...(part !== undefined && { part }),', to: '' },
    file: NODES,
    test: 'hold limits by key where jobs run',
  },
  {
    protection: 'a delayed job that cannot be sent keeps its delay',
    mutation: { file: 'runtime/settle/decide.js', from: 'job.extra?.dueAt ?? 0', to: '0' },
    file: 'runtime/settle/decide.test.js',
    test: 'keeps its own delay',
  },
  {
    protection: 'what has not started at a stop goes to others',
    mutation: {
      file: 'runtime/intake/deliveries.js',
      from: "open.status === 'live' ? [asItCame",
      to: 'false ? [asItCame',
    },
    file: CUTS,
    test: 'sent again with its count',
  },
])
