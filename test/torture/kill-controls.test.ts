import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { killLoop, type Verdict } from '../helpers/kill-loop.ts'
import { mutant, type Mutation } from '../helpers/mutant.ts'
import { scratchFolder } from '../helpers/scratch.ts'

const CYCLES = 10
const WITHIN_MS = 100
const MOST_ROUNDS = 5
const LIMIT = { timeout: 600_000 }

const broken: readonly {
  readonly what: string
  readonly mutations: readonly Mutation[]
  readonly shows: keyof Verdict
  /** Where the kill has to come sooner than with the others, or later. */
  readonly withinMs?: number
}[] = [
  {
    what: 'enqueue resolves before its commit',
    mutations: [
      {
        file: 'runtime/journal/owner/client.js',
        from: /(?<=takes\(job\)\)\s+return;\s+)this\.#gather\.addJob\(job\);/,
        to: 'setImmediate(job.accepted.bind(job), job.number, "new"); this.#gather.addJob({ ...job, accepted() {} });',
      },
    ],
    shows: 'lost',
    // What is told too soon is committed a few milliseconds later.
    withinMs: 1,
  },
  {
    // Either of the two alone is enough: what is not recovered at the start is found when nobody holds it.
    what: 'what was running is not made available again',
    mutations: [
      { file: 'runtime/journal/store/recover.js', from: 'for (const job of orphans) {', to: 'for (const job of []) {' },
      {
        file: 'runtime/journal/store/requests.js',
        from: /for \(const row of this\.#sql\.running\.all\(\)\)/,
        to: 'for (const row of [])',
      },
    ],
    shows: 'lost',
  },
  {
    what: 'successes are told and never written',
    mutations: [
      {
        file: 'runtime/journal/store/settle.js',
        from: /if \(ledger\.sql\.finish\.run\(number, done\[at \+ 1\]\)\.changes === 0\)/,
        to: 'if (false)',
      },
    ],
    shows: 'afterSettled',
  },
  {
    // It is run all the same, and what becomes of it has no claim to be settled with.
    what: 'what is claimed as it is enqueued is written as if it waited',
    mutations: [
      {
        file: 'runtime/journal/store/append.js',
        from: 'ledger.sql.append.run(number, id, stateCodes.running, rank, ord, 1,',
        to: 'ledger.sql.append.run(number, id, stateCodes.available, rank, ord, 0,',
      },
    ],
    shows: 'unclaimed',
  },
  {
    // Their room is given back all the same.
    what: 'successes wait until there are many of them',
    mutations: [
      {
        file: 'runtime/journal/owner/gather.js',
        from: 'const finished = this.#finished;',
        to: 'const finished = this.#finished.length < 5_000 ? [] : this.#finished;',
      },
      {
        file: 'runtime/journal/owner/gather.js',
        from: /this\.#finished = \[\];(?=\s+this\.#settles = \[\])/,
        to: 'if (finished.length > 0) this.#finished = [];',
      },
    ],
    shows: 'beyondRoom',
    // As many as that have to have run.
    withinMs: 900,
  },
  {
    what: 'a kill costs an attempt',
    mutations: [
      {
        file: 'runtime/journal/store/recover.js',
        from: 'crashes = ?, rank = ?, interrupted_at = NULL',
        to: 'attempt = attempt + 1, crashes = ?, rank = ?, interrupted_at = NULL',
      },
    ],
    shows: 'charged',
  },
  {
    what: 'one job in a hundred is acknowledged and not written',
    mutations: [
      {
        file: 'runtime/journal/store/append.js',
        from: 'const number = numbers[index];',
        to: `const number = numbers[index];
        if (number % 100 === 0) { results[index] = appended.waiting; ledger.nextOrd++; continue; }`,
      },
    ],
    shows: 'gaps',
  },
  {
    what: 'the mark of the last commit is ahead of it',
    mutations: [
      {
        file: 'runtime/journal/open.js',
        from: 'mark.write(store.ledger.commits)',
        to: 'mark.write(store.ledger.commits + 1)',
      },
    ],
    shows: 'shortened',
  },
  {
    what: 'one claim in fifty is given out twice',
    mutations: [
      {
        file: 'runtime/dispatch/hand.js',
        from: 'this.#lineOf(job).push(job);',
        to: 'const line = this.#lineOf(job); line.push(job); if (job.number % 50 === 0) { line.push(job); this.#size++; }',
      },
    ],
    shows: 'overlaps',
  },
  {
    what: 'children are written before the success of their parent',
    mutations: [
      {
        file: 'runtime/places/attempt/attempt-context.js',
        from: /if \(now === true\)(?=\s+return this\.#idOf\(await this\.#host\.enqueueNow)/,
        to: 'if (now !== null)',
      },
    ],
    shows: 'ghosts',
  },
]

describe('a service that is killed and has a fault', () => {
  for (const { what, mutations, shows, withinMs = WITHIN_MS } of broken) {
    it(`is found out when ${what}`, LIMIT, async (test) => {
      using copy = mutant(...mutations)
      // A few kills may all come at moments at which the fault does no harm.
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const verdict = await killLoop({
          built: copy.folder,
          folder: scratchFolder(),
          cycles: CYCLES,
          withinMs,
          drainMs: 5_000,
        })
        test.diagnostic(JSON.stringify({ ...verdict, evidence: verdict.evidence.length }))
        if (Number(verdict[shows]) > 0) return
      }
      assert.fail(`${shows}: 0 in ${MOST_ROUNDS} rounds`)
    })
  }

  it('shows a job that is blamed for the kills as dead, with all that is known of it', LIMIT, async (test) => {
    using copy = mutant(
      {
        file: 'runtime/journal/store/recover.js',
        from: 'statements.free(job, hadBegun ?',
        to: 'if (hadBegun) blame(ledger, job, now); else statements.free(job, hadBegun ?',
      },
      {
        file: 'runtime/journal/store/recover.js',
        from: 'function waysOut(',
        to: `function blame(ledger, { id, claim }, now) {
        const die = ledger.db.prepare("UPDATE millrace_jobs SET state = 4, crashes = 1, ended_at = ?, keep_until = ? WHERE id = ?");
        die.run(now, ledger.keepTimes.until(id, 0, now), id);
        ledger.sql.recordAttempt.run(id, claim, JSON.stringify({ type: "crashed", error: { code: "MILLRACE_POISON" } }));
      }
      function waysOut(`,
      },
    )
    const folder = scratchFolder()
    const verdict = await killLoop({ built: copy.folder, folder, cycles: CYCLES, withinMs: WITHIN_MS })
    test.diagnostic(JSON.stringify({ ...verdict, evidence: verdict.evidence.length }))
    assert.ok(verdict.dead > 0, JSON.stringify(verdict))
    assert.deepEqual([verdict.lost, verdict.drained], [0, 0])
    const evidence = verdict.evidence.join('\n')
    for (const known of [/^start /m, /"crashes":1,"lone_crashes":0/, /MILLRACE_POISON/]) assert.match(evidence, known)
  })
})
