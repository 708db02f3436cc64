import { describeControls } from './helpers/controls.ts'

describeControls([
  {
    protection: 'what was offered behind a job whose thread ends goes back uncharged',
    mutation: {
      file: 'runtime/places/threads/seat.js',
      from: /\[\.\.\.thread\.recall\(\(\) => true\)\](;[\s\S]*?const innocent = )[^;]*;/,
      to: '[]$1() => false;',
    },
    file: 'runtime/places/threads/seat.test.js',
    test: 'uncharged',
  },
  {
    protection: 'an exit is no success',
    mutation: {
      file: 'runtime/places/threads/seat.js',
      from: '(innocent(entry) ? NEIGHBOUR : exitOutcome(end))',
      to: "(innocent(entry) ? NEIGHBOUR : { type: 'succeeded', output: '' })",
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'one misdeed after another',
  },
  {
    protection: 'a payload that answers something else when it is written is refused',
    mutation: { file: 'lib/payload.js', from: ' || isProxy(value)', to: '' },
    file: 'lib/payload.test.js',
    test: 'is a proxy wherever it is',
  },
  {
    protection: 'what a caller has given is stored, whatever its schema makes of it',
    mutation: { file: 'lib/enqueue.js', from: 'asFound(encode)', to: 'encode' },
    file: 'lib/enqueue.test.js',
    test: 'changes it in place',
  },
  {
    protection: 'a thrown null is a failure',
    mutation: {
      file: 'runtime/places/attempt/attempt.js',
      from: 'return failed(handler, error, context);',
      to: 'return error === null ? PLAIN_SUCCESS : failed(handler, error, context);',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'one misdeed after another',
  },
  {
    protection: "a late rejection is told from the next job's",
    mutation: {
      file: 'runtime/places/attempt/strays.js',
      from: 'whose.getStore()?.number',
      to: '0',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'reported as its own',
  },
  {
    protection: 'what a job leaves behind is not that of whoever has begun last',
    mutation: {
      file: 'runtime/places/attempt/strays.js',
      from: 'return whose.run(context, run);',
      to: 'whose.getStore = () => context; return whose.run(context, run);',
    },
    file: 'runtime/places/misdeeds.test.js',
    test: 'what they leave behind is told as theirs',
  },
  {
    protection: 'who runs beside a job that ends their thread is not charged for its exit',
    mutation: {
      file: 'runtime/places/threads/seat.js',
      from: '(innocent(entry) ? NEIGHBOUR : exitOutcome(end))',
      to: 'exitOutcome(end)',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'charges nobody else on a lane that has threads',
  },
  {
    protection: 'the hard limit terminates the thread',
    mutation: {
      file: 'runtime/places/threads/thread-place.js',
      from: 'if (runningMs < entry.limits.hardLimitMs)',
      to: 'if (runningMs < 60_000)',
    },
    file: 'runtime/places/limits.test.js',
    test: 'ends a thread in loop',
  },
  {
    protection: 'a job is free again only when its thread has exited',
    mutation: {
      file: 'runtime/places/threads/seat.js',
      from: 'await this.#exit;',
      to: 'await null;',
    },
    file: 'runtime/places/limits.test.js',
    test: 'waits for its exit',
  },
  {
    protection: 'what was under way when the journal thread died is sent again',
    mutation: {
      file: 'runtime/journal/owner/lost-group.js',
      from: 'gather.sendAgain(open);',
      to: '',
    },
    file: 'runtime/journal/owner/client.test.js',
    test: 'is sent again',
  },
  {
    protection: 'a group that was committed is not written again after the journal thread died',
    mutation: {
      file: 'runtime/journal/owner/lost-group.js',
      from: 'const open = lost.splice(lost.filter(({ group }) => group.number <= commits).length);',
      to: 'const open = lost.splice(0);',
    },
    file: 'runtime/journal/owner/client.test.js',
    test: 'not sent again',
  },
  {
    protection: 'what is running at the end of the grace goes back',
    mutation: {
      file: 'runtime/places/threads/thread-place.js',
      from: 'this.#interrupt(seat);',
      to: '',
    },
    file: 'runtime/stop.test.js',
    test: 'aborts what outlasts',
  },
  {
    protection: 'what runs is settled on a full disk',
    mutation: { file: 'runtime/journal/files/space.js', from: 'this.#reserve.release();', to: '' },
    file: 'torture/disk-full.test.js',
    test: 'settles what runs',
  },
  {
    protection: 'idle waits for outcomes to be committed',
    mutation: { file: 'runtime/desk/desk.js', from: 'if (quietLooks === 2)', to: 'if (quietLooks === 1)' },
    file: 'runtime/idle.test.js',
    test: 'every settle',
  },
  {
    protection: 'a page does not wait for a journal that takes nothing',
    mutation: { file: 'runtime/desk/inbox-taken.js', from: "barrier('none')", to: 'barrier()' },
    file: 'runtime/desk/inbox-taken.test.js',
    test: 'by no page while',
  },
])
