import { describeControls } from './helpers/controls.ts'

/** Of the file of a journal, and of what goes into it at once; and of a module and an example beside it. */
describeControls([
  {
    protection: 'a SQLite that can corrupt its log is refused',
    mutation: {
      file: 'runtime/journal/files/sqlite.js',
      from: '(parts[differing] ?? 0) < OLDEST_SQLITE[differing]',
      to: 'version < OLDEST_SQLITE.join(".")',
    },
    file: 'runtime/journal/files/sqlite.test.js',
    test: 'can corrupt its log is refused',
  },
  {
    protection: 'the owner looks at the version of SQLite',
    mutation: { file: 'runtime/journal/open.js', from: 'assertSqliteVersion(db);', to: '' },
    file: 'runtime/journal/files/sqlite.test.js',
    test: 'everybody who opens a journal',
  },
  {
    protection: 'a publisher looks at the version of SQLite',
    mutation: { file: 'runtime/journal/inbox/inbox-thread-main.js', from: 'assertSqliteVersion(db);', to: '' },
    file: 'runtime/journal/files/sqlite.test.js',
    test: 'everybody who opens a journal',
  },
  {
    protection: 'who only reads looks at the version of SQLite',
    mutation: { file: 'runtime/journal/tools/read-only.js', from: 'assertSqliteVersion(db);', to: '' },
    file: 'runtime/journal/files/sqlite.test.js',
    test: 'everybody who opens a journal',
  },
  {
    protection: 'a journal on a file system of a network is refused',
    mutation: { file: 'runtime/journal/files/files.js', from: 'refuseNetwork(directory);', to: '' },
    file: 'runtime/journal/open.test.js',
    test: 'file systems of a network',
  },
  {
    protection: 'the owner syncs each of its commits',
    mutation: {
      file: 'runtime/journal/open.js',
      from: "options.durability === 'full' ? 'FULL'",
      to: "options.durability === 'full' ? 'OFF'",
    },
    file: 'runtime/journal/open.test.js',
    test: 'syncs each commit to the disk',
  },
  {
    protection: 'the owner locks its journal for its whole life',
    mutation: { file: 'runtime/journal/files/lock.js', from: "lock.exec('BEGIN EXCLUSIVE');", to: '' },
    file: 'runtime/journal/owner/owner.test.js',
    test: 'is the owner all the time',
  },
  {
    protection: 'every commit checks the epoch of the owner',
    mutation: { file: 'runtime/journal/store/ledger.js', from: 'if (changes > 0)', to: 'if (changes >= 0)' },
    file: 'runtime/journal/owner/owner.test.js',
    test: 'writes nothing any more once its lock was removed',
  },
  {
    protection: 'a publisher syncs each of its commits',
    mutation: {
      file: 'runtime/journal/inbox/inbox-thread-main.js',
      from: "db.exec('PRAGMA synchronous = FULL');",
      to: '',
    },
    file: 'runtime/journal/inbox/inbox-thread.test.js',
    test: 'syncs each of its commits',
  },
  {
    protection: 'a connection whose caller has turned syncing off syncs the next transaction',
    mutation: {
      file: 'runtime/journal/owner/callers.js',
      from: 'writeAsOwner(db, this.#durability);',
      to: '',
    },
    file: 'runtime/journal/inbox/inbox.test.js',
    test: 'is written as the owner of a journal with the durability',
  },
  {
    protection: 'a result that is still to be kept is not deleted for the number of a history',
    mutation: { file: 'runtime/journal/store/history.js', from: 'if (isOwed === 0)', to: '' },
    file: 'runtime/journal/store/retention.test.js',
    test: 'keeps a success for as long as its own result is to be kept',
  },
  {
    protection: 'callers are let in again once the journal can be written',
    mutation: {
      file: 'runtime/journal/open.js',
      from: /next_number: writeAgain\(db, meta\)/,
      to: 'next_number: meta.next_number',
    },
    file: 'runtime/journal/owner/owner.test.js',
    test: 'while nothing can be written',
  },
  {
    protection: 'what waits is claimed though new jobs go before it',
    mutation: { file: 'runtime/journal/store/append.js', from: 'ledger.turns.passOver(place)', to: '0' },
    file: 'runtime/journal/store/claim.test.js',
    test: 'takes what waits while new jobs of a higher priority go before it',
  },
  {
    protection: 'a thread that could not open has ended before the next one opens',
    mutation: {
      file: 'runtime/journal/owner/access.js',
      from: /await this\.#connection\?\.exited;(?!\s+this\.callers)/,
      to: '',
    },
    file: 'runtime/journal/owner/access.test.js',
    test: 'is opened by the next one when one cannot',
  },
  {
    protection: 'a thread that could not open is not heard any more',
    mutation: { file: 'runtime/journal/owner/access.js', from: "if (status === 'open')\n", to: '' },
    file: 'runtime/journal/owner/access.test.js',
    test: 'is opened by the next one when one cannot',
  },
  {
    protection: 'a job whose caller was told that nobody knows what became of it is not written after that',
    mutation: { file: 'runtime/journal/owner/lost-group.js', from: 'jobs: [], ', to: '' },
    file: 'runtime/journal/owner/access.test.js',
    test: 'keeps nobody waiting whose request was under way',
  },
  {
    protection: 'a stop waits for outcomes that another process keeps from being written',
    mutation: {
      file: 'runtime/journal/owner/client.js',
      from: "fault.kind === 'other' ? 'some' : this.patience",
      to: 'this.patience',
    },
    file: 'runtime/journal/owner/client.test.js',
    test: 'goes on waiting for what another process keeps',
  },
  {
    protection: 'a group is bounded in bytes',
    mutation: { file: 'runtime/journal/owner/gather.js', from: 'GROUP_BYTES = 256 * 1024', to: 'GROUP_BYTES = 1e9' },
    file: 'runtime/journal/owner/gather.test.js',
    test: 'of inputs and of options',
  },
  {
    protection: 'a group is of so many jobs, so that the loop turns between acknowledgements',
    mutation: { file: 'runtime/journal/owner/gather.js', from: 'GROUP_JOBS = 1_000', to: 'GROUP_JOBS = 1e9' },
    file: 'runtime/own-loop.test.js',
    test: 'between the groups',
  },
  {
    protection: 'the loop does not wait for a commit',
    mutation: {
      file: 'runtime/journal/owner/client.js',
      from: 'this.#link.send(sent.group);',
      to: `this.#link.send(sent.group);
        if (sent.jobs.length > 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);`,
    },
    file: 'runtime/own-loop.test.js',
    test: 'while the disk stands still',
  },
  {
    protection: 'deliveries of a group are bounded in bytes',
    mutation: { file: 'runtime/journal/owner/gather.js', from: ' && bytes < GROUP_BYTES; end++', to: '; end++' },
    file: 'runtime/journal/owner/gather.test.js',
    test: 'so many deliveries',
  },
  {
    protection: 'the owner looks into the inbox often enough',
    mutation: { file: 'runtime/journal/thread-main.js', from: 'INBOX_POLL_MS = 20', to: 'INBOX_POLL_MS = 200' },
    file: 'runtime/publish/inbox-publisher.test.js',
    test: 'run by the owner soon',
  },
  {
    protection: 'a lazy handler is not loaded before its first job',
    mutation: {
      file: 'lib/task.js',
      from: "load: callable('lazy', load) }",
      to: 'load: ((module) => () => module)(load()) }',
    },
    file: 'runtime/places/lazy.test.js',
    test: 'loaded by its first job',
  },
  {
    protection: 'a fingerprint is compared with that of other code',
    mutation: { file: 'examples/fingerprint/tasks.js', from: "createHash('sha256')", to: "createHash('sha512')" },
    file: 'examples/fingerprint.test.js',
    test: 'as an independent computation does',
  },
  {
    protection: 'an example that finds a difference fails',
    mutation: {
      file: 'examples/fingerprint/check.js',
      from: "digest('SHA-256', content)",
      to: "digest('SHA-256', content.subarray(1))",
    },
    file: 'examples/fingerprint.test.js',
    test: 'as an independent computation does',
  },
  {
    protection: 'a closed place takes nothing, whatever it gives back',
    mutation: {
      file: 'runtime/journal/store/place-rooms.js',
      from: 'return (this.#capacity[place]?.jobs ?? 0) > 0',
      to: 'return true',
    },
    file: 'runtime/journal/store/claim.test.js',
    test: 'while its place is closed',
  },
  {
    protection: 'what outranks a full hand does not wait for half of it',
    mutation: {
      file: 'runtime/journal/store/place-rooms.js',
      from: 'if (firstRank < (this.#lowestRank[place] ?? 0))',
      to: 'if (false)',
    },
    file: 'runtime/journal/store/claim.test.js',
    test: 'outranks the rest',
  },
  {
    protection: 'ends of which the news was lost are told',
    mutation: { file: 'runtime/journal/owner/lost-group.js', from: 'if (lost.length === 0)', to: 'if (true)' },
    file: 'runtime/journal/owner/thread-death.test.js',
    test: 'before it has said',
  },
  {
    protection: 'ends of which the news was lost are asked for before jobs are run again',
    mutation: {
      file: 'runtime/journal/owner/gather.js',
      from: 'this.#requests.unshift({ request, answered, refused })',
      to: 'this.#requests.push({ request, answered, refused })',
    },
    file: 'runtime/journal/owner/client.test.js',
    test: 'may have ended jobs by itself',
  },
  {
    protection: 'numbers are reserved ahead of those that were given out',
    mutation: { file: 'runtime/journal/store/store.js', from: 'ledger.reserveNumbers(group.nextNumber);', to: '' },
    file: 'runtime/journal/numbers.test.js',
    test: 'never run out',
  },
  {
    protection: 'what others have written is checked',
    mutation: { file: 'runtime/journal/inbox/inbox.js', from: 'readExtra(options)', to: 'JSON.parse(options)' },
    file: 'runtime/journal/inbox/inbox.test.js',
    test: 'what cannot be read',
  },
  {
    protection: 'what cannot be written is not lost',
    mutation: { file: 'runtime/journal/inbox/inbox.js', from: 'of failures)', to: 'of [])' },
    file: 'runtime/journal/inbox/inbox.test.js',
    test: 'what cannot be written',
  },
  {
    protection: 'a wish finds the jobs that were put in before it',
    mutation: { file: 'runtime/journal/inbox/inbox.js', from: /move\(ledger, jobs, now\);\s+jobs = \[\];/, to: '' },
    file: 'runtime/journal/inbox/inbox.test.js',
    test: 'in the order in which',
  },
  {
    protection: 'who waits for a commit hears of it, and not of a refusal',
    mutation: {
      file: 'runtime/journal/owner/gather.js',
      from: 'this.#requests = requests.filter',
      to: 'for (const barrier of this.#barriers.splice(0)) barrier.passed(); this.#requests = requests.filter',
    },
    file: 'runtime/journal/owner/client.test.js',
    test: 'who waits for it',
  },
  {
    protection: 'the version is checked with every group from outside',
    mutation: {
      file: 'runtime/journal/inbox/inbox-thread-main.js',
      from: /(BEGIN IMMEDIATE'\);\s+)inbox\.checkVersion\(\);/,
      to: '$1',
    },
    file: 'runtime/publish/inbox-publisher.test.js',
    test: 'another version',
  },
])
