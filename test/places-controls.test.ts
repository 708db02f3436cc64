import { describeControls } from './helpers/controls.ts'

/** Of tiers and lanes, and of what runs on them; what tells dead from slow is in verdict-controls.test.ts. */
describeControls([
  {
    protection: 'a suspect that waits for its process goes back with a pause',
    mutation: {
      file: 'runtime/places/processes/trial-place.js',
      from: 'const job = this.#letGo(which);',
      to: 'const job = undefined;',
    },
    file: 'runtime/places/processes/trial-place.test.js',
    test: 'when somebody pauses its task',
  },
  {
    protection: 'a module that rejects all the time does not recycle its threads without end',
    mutation: { file: 'runtime/places/threads/seat.js', from: '&& message.number !== undefined', to: '' },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'a module that rejects all the time',
  },
  {
    protection: 'modules that do not load are not waited for without end',
    mutation: { file: 'runtime/places/readiness.js', from: 'this.giveUp(late(place))', to: 'undefined' },
    file: 'runtime/supervise/late-modules.test.js',
    test: 'on threads',
  },
  {
    protection: 'somebody stands in while a run far beyond the budget holds the last thread',
    mutation: { file: 'runtime/places/threads/thread-place.js', from: 'this.#standIn.look(now);', to: '' },
    file: 'runtime/places/threads/stand-in.test.js',
    test: 'holds quick jobs up only until',
  },
  {
    protection: 'slots that were given up are not offered',
    mutation: {
      file: 'runtime/places/threads/batch-policy.js',
      from: 'return thread.free',
      to: 'return this.slots - entries.length',
    },
    file: 'runtime/places/limits.test.js',
    test: 'the slots that were not given up',
  },
  {
    protection: 'limits count from when an attempt begins, and not from when its thread got the job',
    mutation: {
      file: 'runtime/places/threads/runner.js',
      from: 'slots.begin(slot, startedAt);',
      to: 'slots.begin(slot, (batch.cameAt ??= startedAt));',
    },
    file: 'runtime/places/limits.test.js',
    test: 'however long its thread has had the job',
  },
  {
    protection: 'each attempt of a batch has a begin of its own',
    mutation: {
      file: 'runtime/places/threads/incarnation.js',
      from: /if \(this\.state\(entry\) === 'taken'\)\s+begun\.push\(\{ entry, startedAt: this\.startedAt\(entry\) \}\);/,
      to: `if (this.state(entry) === 'taken') begun.push({ entry, startedAt: this.startedAt(this.entries[0]) });`,
    },
    file: 'runtime/places/threads/incarnation.test.js',
    test: 'not when it was offered with others',
  },
  {
    protection: "somebody else's promise is waited for",
    mutation: { file: 'runtime/places/attempt/attempt.js', from: 'Promise.resolve(result).then', to: 'result.then' },
    file: 'runtime/places/attempt/attempt.test.js',
    test: 'promise of another make',
  },
  {
    protection: 'threads that had started are no part of a start that fails',
    mutation: {
      file: 'runtime/places/threads/thread-place.js',
      from: 'if (seat.active === undefined)',
      to: 'if (true)',
    },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'gives back uncharged',
  },
  {
    protection: 'a thread that ends while it loads counts as one that cannot',
    mutation: { file: 'runtime/places/threads/seat.js', from: "thread.status === 'starting')\n", to: 'false)\n' },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'when its threads end while they load',
  },
  {
    protection: 'a run whose thread ends while it starts is given up',
    mutation: { file: 'runtime/places/threads/tier-pool.js', from: 'stranded.abort();', to: ';' },
    file: 'runtime/places/threads/tier-pool.test.js',
    test: 'takes the run that waits',
  },
  {
    protection: 'teardown has what is left of the grace',
    mutation: {
      file: 'runtime/places/threads/thread-place.js',
      from: 'Math.max(endsAt - clock.monotonicMs(), EXIT_MS)',
      to: 'EXIT_MS',
    },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'what is left of the grace',
  },
  {
    protection: 'threads that are slow to end do not drain the runtime',
    mutation: { file: 'runtime/places/threads/seat.js', from: 'HOPELESS_MS = 3_000', to: 'HOPELESS_MS = 10' },
    file: 'runtime/places/limits.test.js',
    test: 'too much to do',
  },
  {
    protection: 'a thread whose attempt was condemned takes no other job',
    mutation: { file: 'runtime/places/threads/runner.js', from: "this.#status = 'parked';", to: '' },
    file: 'runtime/places/threads/runner.test.js',
    test: 'takes no other job',
  },
  {
    protection: 'an exit is charged to the job whose code it was',
    mutation: { file: 'runtime/places/threads/seat.js', from: 'thread.endedBy = message.number', to: '' },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'ends the thread later',
  },
  {
    protection: 'an attempt that was given up commits nothing',
    mutation: {
      file: 'runtime/places/loop/loop-lane.js',
      from: 'this.#reportZombies();\n            return;',
      to: 'this.#reportZombies();',
    },
    file: 'runtime/places/loop/loop-lane.test.js',
    test: 'commits nothing later',
  },
  {
    protection: 'the slot of an attempt that was given up is free for another',
    mutation: {
      file: 'runtime/places/loop/loop-lane.js',
      from: /(this\.#abandoned\+\+;[^}]*?)this\.#vacate\(running\);/,
      to: '$1',
    },
    file: 'runtime/places/loop/loop-lane.test.js',
    test: 'however many they are',
  },
  {
    protection: 'what has ended on a lane is held until it is told',
    mutation: {
      file: 'runtime/places/loop/loop-lane.js',
      from: '[...this.#running, ...this.#ended]',
      to: '[...this.#running]',
    },
    file: 'runtime/places/loop/loop-lane.test.js',
    test: 'until it is told',
  },
  {
    protection: 'outcomes that are on their way are read before marks are believed',
    mutation: {
      file: 'runtime/places/threads/incarnation.js',
      from: 'this.jobs += done.length;\n        this.#readMessages();',
      to: 'this.jobs += done.length;',
    },
    file: 'runtime/places/threads/incarnation.test.js',
    test: 'no event has brought yet',
  },
  {
    protection: 'what a process has started is killed with it',
    mutation: {
      file: 'runtime/places/processes/process-life.js',
      from: "process.kill(-pid, 'SIGKILL')",
      to: "process.kill(pid, 'SIGKILL')",
    },
    file: 'runtime/places/processes/process-limits.test.js',
    test: 'ends a process in exec',
  },
  {
    protection: 'the places share a total of threads',
    mutation: { file: 'runtime/places/threads/sizer.js', from: "budget.take() === 'none'", to: 'false' },
    file: 'runtime/places/threads/elastic.test.js',
    test: 'shares a total',
  },
  {
    protection: 'a place whose tasks do not load stays away',
    mutation: { file: 'runtime/places/readiness.js', from: 'if (failures === undefined)', to: 'if (false)' },
    file: 'runtime/supervise/broken-place.test.js',
    test: 'stays away',
  },
  {
    protection: 'the entry of a thread is CommonJS',
    mutation: {
      file: 'runtime/places/threads/tier-pool.js',
      from: "siblingUrl('./thread-entry', import.meta.url, 'commonjs')",
      to: "siblingUrl('./thread-main', import.meta.url)",
    },
    file: 'runtime/places/threads/thread-entry.test.js',
    test: 'requires no ES module',
  },
  {
    protection: 'a runtime in a thread of a runtime is refused',
    mutation: { file: 'runtime/places/threads/thread-main.js', from: 'markMillraceThread();', to: '' },
    file: 'runtime/supervise/nested.test.js',
    test: 'is told so',
  },
])
