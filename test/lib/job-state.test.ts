import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  endedStates,
  fromCodes,
  isEnded,
  jobStates,
  stateCodes,
  toCode,
  type Transition,
  transitions,
} from '../../lib/job-state.ts'
import { become, guard } from '../../runtime/journal/schema/schema.ts'
import { StoreDriver } from '../helpers/store-driver.ts'

const names = Object.keys(transitions) as Transition[]
const document = readFileSync(new URL('../../../docs/states.md', import.meta.url), 'utf8')

/** The arrows of the diagram between states, without those that a job is born by. */
function drawn(): Set<string> {
  const diagram = /```mermaid\n([\s\S]*?)```/.exec(document)?.[1] ?? ''
  return new Set([...diagram.matchAll(/^\s*(\w+) --> (\w+)/gm)].map(([, from, to]) => `${from} --> ${to}`))
}

/** Those of the table; one that leads back to its own state is no arrow. */
function listed(): Set<string> {
  return new Set(
    names.flatMap((name) => {
      const { from, to } = transitions[name]
      return from.filter((state) => state !== to).map((state) => `${state} --> ${to}`)
    }),
  )
}

describe('the states of a job', () => {
  it('are drawn in the docs as the table has them, arrow by arrow', () => {
    assert.ok(drawn().size > 10)
    assert.deepEqual([...drawn()].sort(), [...listed()].sort())
  })

  it('are all told of in the docs', () => {
    for (const state of jobStates) assert.ok(document.includes(`\`${state}\``), state)
  })

  it('are stored as numbers that follow each other where a group of them is a range', () => {
    assert.deepEqual(
      Object.values(stateCodes),
      jobStates.map((_, at) => at),
    )
    const codes = endedStates.map((state) => stateCodes[state])
    assert.deepEqual(
      codes,
      codes.map((_, at) => (codes[0] as number) + at),
    )
    assert.deepEqual(jobStates.filter(isEnded), [...endedStates])
  })

  it('are left, once ended, by a retry only', () => {
    for (const name of names) {
      if (transitions[name].from.some(isEnded)) assert.equal(name, 'revive')
    }
    assert.ok(!(transitions.revive.from as readonly string[]).includes('succeeded'))
  })

  it('can all be reached, and left unless they have ended', () => {
    const reached = new Set(names.map((name) => transitions[name].to))
    assert.deepEqual([...reached].sort(), [...jobStates].sort())
    for (const state of jobStates.filter((each) => !isEnded(each))) {
      assert.ok(
        names.some((name) => (transitions[name].from as readonly string[]).includes(state)),
        state,
      )
    }
  })
})

describe('the statements of the journal', () => {
  it('are guarded by the states of the table', () => {
    for (const name of names) {
      const codes = fromCodes(name)
      assert.deepEqual(guard(name).match(/\d+/g)?.map(Number), codes)
      assert.equal(become(name), `state = ${toCode(name)}`)
    }
  })

  it('cannot write a state that does not exist, or one without its instant', () => {
    const { db, ...journal } = withJob()
    const write = (set: string) => () => db.prepare(`UPDATE millrace_jobs SET ${set} WHERE id = ?`).run(journal.number)
    const refused = [
      'state = -1',
      `state = ${jobStates.length}`,
      `state = ${stateCodes.scheduled}`,
      'due_at = 5',
      'ended_at = 5',
      ...endedStates.map((state) => `state = ${stateCodes[state]}`),
    ]
    for (const set of refused) assert.throws(write(set), { code: 'SQLITE_CONSTRAINT_CHECK' }, set)
    write(`state = ${stateCodes.scheduled}, due_at = 5`)()
    for (const state of endedStates) write(`state = ${stateCodes[state]}, due_at = NULL, ended_at = 5`)()
    write(`state = ${stateCodes.running}, ended_at = NULL`)()
  })
})

function withJob() {
  const journal = new StoreDriver()
  return { db: journal.db, number: journal.enqueue('alpha').number }
}
