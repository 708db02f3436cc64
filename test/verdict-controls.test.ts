import { describeControls } from './helpers/controls.ts'

/** Of verdicts, of the watchdog and of explanations. */
describeControls([
  {
    protection: 'the loop of a thread beats',
    mutation: { file: 'runtime/places/threads/thread-beat.js', from: 'slots.beat(clock.monotonicMs());', to: '' },
    file: 'runtime/places/verdicts.test.js',
    test: 'is waiting in await a timer',
  },
  {
    protection: 'who is late is not dead',
    mutation: { file: 'lib/verdict.js', from: '? silent(earlier, latest, standing)', to: "? 'dead'" },
    file: 'runtime/places/verdicts.test.js',
    test: 'nobody is called dead who lives',
  },
  {
    protection: 'who is queued for a processor is not blocked',
    mutation: { file: 'lib/verdict.js', from: 'processor + queuedShare < READY', to: 'processor < READY' },
    file: 'lib/verdict.test.js',
    test: 'the same, on a busy machine',
  },
  {
    protection: 'a silence is judged by itself',
    mutation: { file: 'lib/verdict.js', from: ' && earlier.at >= latest.beatAt', to: '' },
    file: 'lib/verdict.test.js',
    test: 'fell silent after the first reading',
  },
  {
    protection: 'a stuck thread is told of once',
    mutation: { file: 'runtime/places/threads/inspector.js', from: 'this.#told.add(oldest);', to: '' },
    file: 'runtime/places/verdicts.test.js',
    test: 'is stuck when it does not answer',
  },
  {
    protection: 'a thread of a lane whose loop stands still is replaced at the hard limit',
    mutation: {
      file: 'runtime/places/threads/thread-place.js',
      from: '!== true',
      to: '=== undefined',
    },
    file: 'runtime/places/verdicts.test.js',
    test: 'is spinning in regular expression',
  },
  {
    protection: 'who waits for a loop that another holds is not charged at the end of its thread',
    mutation: {
      file: 'runtime/places/threads/shared-loop.js',
      from: 'this.#holder !== undefined || verdict',
      to: 'verdict',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'from its call on',
  },
  {
    protection: 'who waits for a loop that another holds is not charged at its own limit',
    mutation: {
      file: 'runtime/places/threads/shared-loop.js',
      from: '? NEIGHBOUR : verdict',
      to: '? verdict : verdict',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'comes to its limit first',
  },
  {
    protection: 'whoever holds a loop is charged at its own limit, so that it ends',
    mutation: {
      file: 'runtime/places/threads/shared-loop.js',
      from: ' || this.#holder === entry)',
      to: ')',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'charged each time',
  },
  {
    protection: 'a terminated job whose handler is about to return ends nobody beside it',
    mutation: {
      file: 'runtime/places/threads/shared-loop.js',
      from: "&& verdict.type === 'cancelled'",
      to: '&& false',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'where the loop goes on',
  },
  {
    protection: 'a terminated job whose handler does not return is ended with its thread',
    mutation: { file: 'runtime/places/threads/thread-place.js', from: 'thread.abandoned > 0)', to: 'false)' },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'where the loop does not go on',
  },
  {
    protection: 'what nobody can tell of a loop that stands still is charged to all on it',
    mutation: {
      file: 'runtime/places/threads/shared-loop.js',
      from: ': stalledOutcome(entry.task)',
      to: ': NEIGHBOUR',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'costs all that ran on it',
  },
  {
    protection: 'a loop that waits for a processor does not stand still',
    mutation: {
      file: 'runtime/places/threads/inspector.js',
      from: 'heldMs < SILENT_MS ? 0 : heldMs',
      to: 'evidence.silentMs',
    },
    file: 'runtime/places/threads/shared-loop.test.js',
    test: 'costs nobody beside who comes to a limit',
  },
  {
    protection: 'what may be unwound has a turn of its own',
    mutation: { file: 'runtime/supervise/place-child.js', from: 'new OwnTurn()', to: 'undefined' },
    file: 'runtime/places/loop/watchdog-modes.test.js',
    test: 'in loop at the hard limit',
  },
  {
    protection: 'who was unwound hears of it before another handler is called',
    mutation: {
      file: 'runtime/places/loop/watchdog.js',
      from: /this\.#notice\(\);(?=\s+this\.#caller = caller)/,
      to: '',
    },
    file: 'runtime/places/loop/watchdog-modes.test.js',
    test: 'in loop at the hard limit',
  },
  {
    protection: 'what cannot be unwound is left alone',
    mutation: { file: 'runtime/places/loop/watchdog-thread-main.js', from: '!mayBeUnwound(', to: 'void (' },
    file: 'runtime/places/loop/watchdog-modes.test.js',
    test: 'without ending the process',
  },
  {
    protection: 'nobody is interrupted before the hard limit',
    mutation: { file: 'runtime/places/loop/watchdog-thread-main.js', from: /if \(now < limitAt\)\s+return;/, to: '' },
    file: 'runtime/places/loop/watchdog-modes.test.js',
    test: 'in loop at the hard limit',
  },
  {
    protection: 'what is ahead is counted up to a bound',
    mutation: {
      file: 'runtime/journal/limits/why-waiting.js',
      from: 'MOST_BEFORE = 10_000',
      to: 'MOST_BEFORE = 1_000_000',
    },
    file: 'runtime/control/explain.test.js',
    test: 'counts no further than 10,000',
  },
])
