import { describeControls } from './helpers/controls.ts'

const LIMITED_JOBS = 'runtime/journal/limits/limited-jobs.test.js'

describeControls([
  {
    protection: 'a part that is full is not picked from',
    mutation: { file: 'lib/part-group.js', from: 'if (full === undefined)', to: 'if (full !== null)' },
    file: LIMITED_JOBS,
    test: 'never break one',
  },
  {
    protection: 'a claim that has ended makes way for the next of its key',
    mutation: { file: 'lib/limiter.js', from: 'item.wake();', to: '' },
    file: LIMITED_JOBS,
    test: 'the next when one of them has ended',
  },
  {
    protection: 'what is known of parts is read anew after a rollback',
    mutation: { file: 'runtime/journal/store/ledger.js', from: 'this.regulator.rebuild();', to: '' },
    file: LIMITED_JOBS,
    test: 'never break one',
  },
  {
    protection: 'a limiter is forgotten with its last part',
    mutation: { file: 'lib/limiter.js', from: 'this.#byName.delete(limiter.name);', to: '' },
    file: 'lib/part-group.test.js',
    test: 'none for those that were',
  },
  {
    protection: 'a job that waits for a limit is passed by those behind it',
    mutation: {
      file: 'lib/part-group.js',
      from: 'if (this.#closed(now) !== undefined)\n            return undefined;',
      to: '',
    },
    file: LIMITED_JOBS,
    test: 'hold no room and hold up nobody',
  },
  {
    protection: 'what an owner that died had claimed counts as started',
    mutation: { file: 'runtime/journal/limits/regulator.js', from: 'this.#orphans.push(name);', to: '' },
    file: LIMITED_JOBS,
    test: 'find a rate where',
  },
  {
    protection: 'what a job has run is charged to whose it is',
    mutation: { file: 'lib/fair-share.js', from: /const costMs = ranMs.*;/, to: 'const costMs = 1;' },
    file: 'lib/fair-share.test.js',
    test: 'with short jobs',
  },
  {
    protection: 'who has very many short jobs pays for handling them',
    mutation: { file: 'lib/fair-share.js', from: 'HANDLING_MS = 0.15', to: 'HANDLING_MS = 0' },
    file: 'lib/fair-share.test.js',
    test: 'beside a flood',
  },
  {
    protection: 'fair jobs are not claimed far ahead',
    mutation: {
      file: 'lib/part-group.js',
      from: "return { by: 'ahead', opensAt: Number.POSITIVE_INFINITY };",
      to: 'return undefined;',
    },
    file: LIMITED_JOBS,
    test: 'that are fair take turns',
  },
  {
    protection: 'what was paused before this runtime is paused in it',
    mutation: { file: 'runtime/supervise/journal-child.js', from: 'pauses.begin();', to: '' },
    file: 'runtime/control/pauses.test.js',
    test: 'kept over a restart',
  },
  {
    protection: 'starts in processes are told while they run',
    mutation: { file: 'runtime/places/processes/process-watch.js', from: 'starts.tell(begunOn(lives()));', to: '' },
    file: 'runtime/limits.test.js',
    test: 'not held up in processes',
  },
  {
    protection: 'what is paused goes back from the hands',
    mutation: {
      file: 'runtime/dispatch/dispatcher.js',
      from: 'this.#withdraw((job) => this.#options.isHeld(job));',
      to: '',
    },
    file: 'runtime/control/pauses.test.js',
    test: 'of a task lets what runs go on',
  },
  {
    protection: 'the journal gives out nothing that is paused',
    mutation: {
      file: 'runtime/dispatch/router.js',
      from: 'this.#options.isPaused(task) ? -1 : place',
      to: 'place',
    },
    file: 'runtime/control/pauses.test.js',
    test: 'of a place holds all its tasks',
  },
  {
    protection: 'what a suspended task has in hands goes back, and nothing but the probe starts',
    mutation: {
      file: 'runtime/control/suspensions.js',
      from: 'return !isProbe(this.#circuitOf(job.task), job);',
      to: 'return false;',
    },
    file: 'runtime/control/suspensions.test.js',
    test: 'gives back what stands in hands',
  },
  {
    protection: 'the journal gives out nothing of a suspended task',
    mutation: { file: 'runtime/supervise/tree.js', from: ' || suspensions.holds(task)', to: '' },
    file: 'runtime/control/suspensions.test.js',
    test: 'its jobs wait uncharged',
  },
  {
    protection: 'there is one probe at a time',
    mutation: { file: 'runtime/control/suspensions.js', from: 'circuit.probe ??=', to: 'circuit.probe =' },
    file: 'runtime/control/suspensions.test.js',
    test: 'starts no second job',
  },
  {
    protection: 'what had begun before it opened does not close a breaker',
    mutation: {
      file: 'runtime/control/suspensions.js',
      from: "breaker.type === 'probing' && !isProbe(circuit, job)",
      to: 'false',
    },
    file: 'runtime/control/suspensions.test.js',
    test: 'had begun before',
  },
  {
    protection: 'who waits for room is let in again',
    mutation: { file: 'runtime/journal/store/store.js', from: 'ledger.admission.ask(task);', to: '' },
    file: 'runtime/limits.test.js',
    test: 'lets callers wait',
  },
  {
    protection: 'a task has no more waiting than it may have',
    mutation: { file: 'runtime/journal/limits/admission.js', from: 'room -= this.#waitingOf(task);', to: '' },
    file: 'runtime/journal/limits/admission.test.js',
    test: 'has exactly so many',
  },
  {
    protection: 'retries have a budget while fresh work waits',
    mutation: {
      file: 'runtime/journal/store/retry-budget.js',
      from: '(this.#every[place] ?? DEFAULT_EVERY) - 1',
      to: '0',
    },
    file: 'runtime/journal/store/retry-budget.test.js',
    test: 'take at most one claim in ten',
  },
  {
    protection: 'the tasks of a place share what it lets run',
    mutation: {
      file: 'runtime/catalog.js',
      from: 'if (place === undefined || manifest === undefined)',
      to: 'if (place !== null)',
    },
    file: 'runtime/limits.test.js',
    test: 'hold for all its tasks',
  },
  {
    protection: 'rates are written down',
    mutation: {
      file: 'runtime/journal/limits/regulator.js',
      from: 'this.#sql.writeRate.run(name, meter.paidUntil);',
      to: 'void name;',
    },
    file: LIMITED_JOBS,
    test: 'find a rate where',
  },
  {
    protection: 'what is kept until its rate is full is not due before',
    mutation: { file: 'lib/limiter.js', from: 'meter.fullAt', to: 'meter.paidUntil' },
    file: 'lib/limiter.test.js',
    test: 'is forgotten at the millisecond at which its rate is full, and not before',
  },
  {
    protection: 'a claim reserves its start',
    mutation: { file: 'lib/rate-meter.js', from: 'this.#reserved++;', to: '' },
    file: 'lib/rate-meter.test.js',
    test: 'never lets more',
  },
  {
    protection: 'time opens a rate, and somebody looks then',
    mutation: {
      file: 'runtime/journal/store/ledger.js',
      from: 'this.regulator.opensAt()',
      to: 'undefined',
    },
    file: LIMITED_JOBS,
    test: 'claimed when the journal said',
  },
])
