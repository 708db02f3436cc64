import { describeControls } from './helpers/controls.ts'

/** Of the stages, one by one; what takes all of them is in controls.test.ts. */
describeControls([
  {
    protection: 'claims on their way to the dispatcher are held',
    mutation: { file: 'runtime/listeners.js', from: 'wires.undispatched.add(jobs);', to: '' },
    file: 'runtime/supervise/held.test.js',
    test: 'until the commit that ends it',
  },
  {
    protection: 'a hand gives out the oldest once in eight',
    mutation: { file: 'runtime/dispatch/hand.js', from: '++this.#taken % OLDEST_EVERY === 0', to: 'false' },
    file: 'runtime/dispatch/hand.test.js',
    test: 'once in eight',
  },
  {
    protection: 'what was put back is in its old order',
    mutation: { file: 'runtime/dispatch/hand.js', from: 'first !== undefined && first.ord < job.ord', to: 'false' },
    file: 'runtime/dispatch/hand.test.js',
    test: 'in front of what came after',
  },
  {
    protection: 'what has expired in the hand does not start',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'expiresAt === undefined || ',
      to: 'expiresAt === undefined || true || ',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'may not start any more',
  },
  {
    protection: 'the hand goes back at a stop',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'this.#hands.forEach((_, place) => this.#giveBack(place));',
      to: '',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'when it stops',
  },
  {
    protection: 'what a stopped place puts back goes back',
    mutation: { file: 'runtime/dispatch/dispatcher.js', from: 'this.#options.stopped.has(place)', to: 'false' },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'after it has stopped',
  },
  {
    protection: 'held claims use up room',
    mutation: {
      file: 'runtime/dispatch/router.js',
      from: 'journal.giveRoom(catalog.placeOf(task), -1, -input.length)',
      to: 'undefined',
    },
    file: 'runtime/dispatch/router.test.js',
    test: 'held counted as used',
  },
  {
    protection: 'no claim is under way while the held ones are counted',
    mutation: {
      file: 'runtime/dispatch/router.js',
      from: '({ name, capacity: NO_ROOM })',
      to: '({ name, capacity: { jobs: 4, bytes: 1_000 } })',
    },
    file: 'runtime/dispatch/router.test.js',
    test: 'while no claim is under way',
  },
  {
    protection: 'a closed router gives no room',
    mutation: { file: 'runtime/dispatch/router.js', from: "this.#status = 'closed';", to: '' },
    file: 'runtime/dispatch/router.test.js',
    test: 'once the router was closed',
  },
  {
    protection: 'outcomes that were told and not read are written',
    mutation: {
      file: 'runtime/settle/settler.js',
      from: /async stop\(\) \{\s+this\.#takeRest\(\);/,
      to: 'async stop() {',
    },
    file: 'runtime/settle/settler.test.js',
    test: 'before it stops',
  },
  {
    protection: 'a success whose children wait for their task is not settled',
    mutation: { file: 'runtime/settle/settler.js', from: 'unsettled.add(group);', to: '' },
    file: 'runtime/settle/settler.test.js',
    test: 'among what is not settled',
  },
  {
    protection: 'a cancel that was wished ends every end but a success',
    mutation: { file: 'runtime/settle/decide.js', from: "circumstances.wish === 'cancel'", to: 'false' },
    file: 'runtime/settle/decide.test.js',
    test: 'becomes a cancel',
  },
  {
    protection: 'a stale outcome is not told',
    mutation: { file: 'runtime/settle/announcer.js', from: 'stale.size > 0 && stale.has(number)', to: 'false' },
    file: 'runtime/settle/announcer.test.js',
    test: 'what is stale',
  },
  {
    protection: 'the memory of results is bounded',
    mutation: { file: 'runtime/settle/results.js', from: ' || this.#recentBytes > RECENT_BYTES', to: '' },
    file: 'runtime/settle/results.test.js',
    test: '8 MiB',
  },
  {
    protection: 'a result that was forgotten may have ended',
    mutation: {
      file: 'runtime/settle/results.js',
      from: 'if (oldest > this.#forgottenUpTo && oldest < INBOX_NUMBERS_FROM)',
      to: 'if (false)',
    },
    file: 'runtime/settle/results.test.js',
    test: 'a later one was forgotten',
  },
  {
    protection: 'a fenced attempt commits nothing',
    mutation: {
      file: 'runtime/places/loop-lane.js',
      from: "if (running.status === 'fenced')\n            this.#abandoned--;\n        else",
      to: "if (running.status === 'fenced')\n            this.#abandoned--;\n",
    },
    file: 'runtime/places/loop-lane.test.js',
    test: 'commits nothing later',
  },
  {
    protection: "a lane's slots come back when promises end",
    mutation: { file: 'runtime/places/loop-lane.js', from: 'if (inUse < this.#options.concurrency)', to: 'if (false)' },
    file: 'runtime/places/loop-lane.test.js',
    test: 'only then',
  },
  {
    protection: 'what has ended on a lane is held until it is told',
    mutation: { file: 'runtime/places/loop-lane.js', from: '[...running, ...this.#ended]', to: 'running' },
    file: 'runtime/places/loop-lane.test.js',
    test: 'until it is told',
  },
  {
    protection: 'outcomes that are on their way are read before marks are believed',
    mutation: {
      file: 'runtime/places/incarnation.js',
      from: 'this.#entries = left;\n        this.#readMessages();',
      to: 'this.#entries = left;',
    },
    file: 'runtime/places/incarnation.test.js',
    test: 'no event has brought yet',
  },
  {
    protection: 'a place whose tasks do not load stays away',
    mutation: { file: 'runtime/places/thread-place.js', from: 'if (failures !== undefined) {', to: 'if (true) {' },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'stays away',
  },
  {
    protection: 'a lane that cannot start does not take the others along',
    mutation: {
      file: 'runtime/supervise/place-child.js',
      from: 'this.#wires.places[this.#index] = new AbsentPlace(this.#config, error);',
      to: '',
    },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'a lane of the loop',
  },
  {
    protection: 'a runtime in a thread of a runtime is refused',
    mutation: { file: 'runtime/places/thread-main.js', from: 'markMillraceThread();', to: '' },
    file: 'runtime/supervise/nested.test.js',
    test: 'is told so',
  },
  {
    protection: 'a second signal ends the process at once',
    mutation: { file: 'runtime/signals.js', from: "if (stopping === 'yes')", to: 'if (false)' },
    file: 'runtime/signals.test.js',
    test: 'asked again',
  },
  {
    protection: 'what is due follows the clock of the machine',
    mutation: {
      file: 'runtime/upkeep/upkeep.js',
      from: 'clock.setAlarm(at, ',
      to: 'clock.setTimer(at - this.#options.clock.now(), ',
    },
    file: 'runtime/upkeep/upkeep.test.js',
    test: 'also if that is set',
  },
  {
    protection: 'the version is checked with every group from outside',
    mutation: { file: 'runtime/journal/inbox-thread-main.js', from: 'inbox.checkVersion();', to: '' },
    file: 'runtime/publish/inbox-publisher.test.js',
    test: 'another version',
  },
  {
    protection: 'who asks a publisher that ends is answered',
    mutation: {
      file: 'runtime/publish/inbox-publisher.js',
      from: 'if (this.#end !== undefined)\n            return Promise.reject(this.#end);',
      to: '',
    },
    file: 'runtime/publish/inbox-publisher.test.js',
    test: 'answers nobody',
  },
])
