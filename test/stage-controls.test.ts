import { describeControls } from './helpers/controls.ts'

/** Of the stages between the journal and the places; what takes all of them is in controls.test.ts. */
describeControls([
  {
    protection: 'who waits for a child hears when its parent has dropped it',
    mutation: { file: 'runtime/desk/desk.js', from: "origin !== 'by-id' && ", to: '' },
    file: 'runtime/late-result.test.js',
    test: 'its parent has failed',
  },
  {
    protection: 'claims on their way to the dispatcher are held',
    mutation: {
      file: 'runtime/held.js',
      from: 'for (const jobs of undispatched.keys())',
      to: 'for (const jobs of [])',
    },
    file: 'runtime/supervise/held.test.js',
    test: 'until the commit that ends it',
  },
  {
    protection: 'claims whose outcome can never be written are held',
    mutation: { file: 'runtime/held.js', from: 'yield* unwritten;', to: '' },
    file: 'runtime/supervise/held.test.js',
    test: 'can never be written',
  },
  {
    protection: 'claims that a dispatcher has found itself are not taken once more',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'if (undispatched.delete(message.jobs))\n                    this.#claimed',
      to: 'undispatched.delete(message.jobs);\n                    this.#claimed',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'takes once what it was told',
  },
  {
    protection: 'a job that stands in a slot and has not begun can be put off',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'this.#options.places[place]?.takeBack(numbers) ?? []',
      to: '[]',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'the slots that they were offered to',
  },
  {
    protection: 'who asks a dispatcher that crashes is answered',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'question.answer([]);',
      to: '',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'answers what it was asked',
  },
  {
    protection: 'a hand gives out the oldest once in eight',
    mutation: { file: 'runtime/dispatch/hand.js', from: '++this.#taken % OLDEST_EVERY === 0', to: 'false' },
    file: 'runtime/dispatch/hand.test.js',
    test: 'once in eight',
  },
  {
    protection: 'what was put back is in its old order',
    mutation: { file: 'runtime/dispatch/line.js', from: 'first !== undefined && first.ord < job.ord', to: 'false' },
    file: 'runtime/dispatch/hand.test.js',
    test: 'in front of what came after',
  },
  {
    protection: 'what has expired in the hand does not start',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'expiresAt !== undefined && expiresAt <=',
      to: 'expiresAt !== undefined && 0 >',
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
      from: 'journal.giveRoom(place, -1, -weightOf(job))',
      to: 'undefined',
    },
    file: 'runtime/dispatch/router.test.js',
    test: 'held counted as used',
  },
  {
    protection: 'no claim is under way while the held ones are counted',
    mutation: {
      file: 'runtime/dispatch/router.js',
      from: '.#routes(() => NO_ROOM)',
      to: '.#routes(() => ({ jobs: 4, bytes: 1_000 }))',
    },
    file: 'runtime/dispatch/router.test.js',
    test: 'while no claim is under way',
  },
  {
    protection: 'what has given its room back does not use it up again',
    mutation: {
      file: 'runtime/dispatch/router.js',
      from: 'of this.#options.occupants()',
      to: 'of [...this.#options.held()].map((job) => ({ place: catalog.placeOf(job.task), job }))',
    },
    file: 'runtime/dispatch/router.test.js',
    test: 'not used up for good',
  },
  {
    protection: 'a start that fails lets the journal go',
    mutation: {
      file: 'runtime/supervise/journal-child.js',
      from: 'await journal.close();\n            throw',
      to: 'throw',
    },
    file: 'runtime/supervise/start-stop.test.js',
    test: 'lets the journal go',
  },
  {
    protection: 'an upkeep that starts looks at what it was not told',
    mutation: { file: 'runtime/upkeep/upkeep.js', from: 'this.#suspects(journal.suspects);', to: '' },
    file: 'runtime/supervise/recovered.test.js',
    test: 'a lone suspect',
  },
  {
    protection: 'what a start has ended is told',
    mutation: { file: 'runtime/boot.js', from: 'announcer.recovered(recovered);', to: '' },
    file: 'runtime/supervise/recovered.test.js',
    test: 'wanted cancelled',
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
    mutation: { file: 'runtime/settle/decide.js', from: "circumstances.wishOf(job) === 'cancel'", to: 'false' },
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
    mutation: { file: 'runtime/settle/recent-ends.js', from: 'this.#bytes + bytes > MOST_BYTES', to: 'false' },
    file: 'runtime/settle/results.test.js',
    test: '8 MiB',
  },
  {
    protection: 'a result that was forgotten may have ended',
    mutation: {
      file: 'runtime/settle/results.js',
      from: 'if (number > this.#forgottenUpTo && number < INBOX_NUMBERS_FROM)',
      to: 'if (false)',
    },
    file: 'runtime/settle/results.test.js',
    test: 'a later one was forgotten',
  },
  {
    protection: 'a suspect runs apart from all others',
    mutation: { file: 'runtime/place-of.js', from: 'isSuspect(job) ? trialIndex(wires) : ', to: '' },
    file: 'runtime/places/processes/trial-place.test.js',
    test: 'in a process of its own',
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
    protection: 'what cannot be decided costs only its own job',
    mutation: {
      file: 'runtime/settle/settler.js',
      from: 'const undecided = ',
      to: 'throw error; const undecided = ',
    },
    file: 'runtime/settle/settler.test.js',
    test: 'costs nobody else',
  },
  {
    protection: 'a job whose row was damaged does not start',
    mutation: { file: 'runtime/dispatch/dispatcher.js', from: 'damage(job);', to: 'undefined;' },
    file: 'runtime/damaged-rows.test.js',
    test: 'stops nobody else',
  },
  {
    protection: 'a job that was on its way when it was cancelled does not start',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'wishes.size > 0 && wishes.has(job.number)',
      to: 'false',
    },
    file: 'runtime/dispatch/dispatcher.test.js',
    test: 'somebody wants cancelled',
  },
  {
    protection: 'the wish for the end of a job that may run again is kept',
    mutation: {
      file: 'runtime/settle/announcer.js',
      from: 'if (isStale || isEnded(transitions[settle.transition].to))',
      to: 'if (true)',
    },
    file: 'runtime/settle/announcer.test.js',
    test: 'forgets the wish',
  },
  {
    protection: 'a cancel answers when the end is committed',
    mutation: {
      file: 'runtime/desk/changes.js',
      from: 'return endOf(wires, number);',
      to: "return 'cancelled';",
    },
    file: 'runtime/desk/changes.test.js',
    test: 'cancelsAsItSays, on a tier',
  },
  {
    protection: 'a job of a transaction is looked for in the inbox',
    mutation: { file: 'runtime/desk/desk.js', from: 'if (number < INBOX_NUMBERS_FROM)', to: 'if (true)' },
    file: 'runtime/desk/changes.test.js',
    test: 'has not taken it over yet',
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
