import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { type Behavior, type Child, type ExitReason, type Parent, spawn } from '../../lib/actor.ts'
import type { ChildSpec, Restart, Strategy } from '../../lib/supervision.ts'

export const strategies = ['one-for-one', 'rest-for-one', 'one-for-all'] as const satisfies Strategy[]

export const boom = new Error('boom')

/** Children that can be made to crash, with a log of what happened to them. */
export class Family {
  readonly log: string[] = []
  readonly children = new Map<string, Child<'crash'>>()
  readonly parents = new Set<Parent>()

  spec(id: string, restart: Restart = 'permanent', behavior: Partial<Behavior<'crash'>> = {}): ChildSpec {
    return {
      id,
      restart,
      start: (supervisor) => {
        this.parents.add(supervisor)
        const child = spawn(
          {
            start: async () => {
              this.log.push(`${id} starts`)
              await turn()
              this.log.push(`${id} started`)
            },
            receive: () => assert.fail(boom),
            stop: async ({ type }) => {
              this.log.push(`${id} ${type}`)
              await turn()
            },
            ...behavior,
          },
          { id, stopDeadlineMs: Number.POSITIVE_INFINITY },
        )
        this.children.set(id, child)
        return child
      },
    }
  }

  specs(ids: readonly string[], restart: Restart = 'permanent'): ChildSpec[] {
    return ids.map((id) => this.spec(id, restart))
  }

  crash(id: string): void {
    assert.equal(this.children.get(id)?.tell('crash'), 'accepted')
  }

  /** What was logged since the last time. */
  news(): string[] {
    return this.log.splice(0)
  }
}

/** Lets the loop turn until what is looked at has come to be, and a little longer: it has to stay so. */
export async function becomes<T>(look: () => T, expected: T): Promise<void> {
  for (let turns = 0; turns < 1_000 && !isEqual(look(), expected); turns++) await turn()
  for (let turns = 0; turns < 5; turns++) await turn()
  assert.deepEqual(look(), expected)
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

export async function stop(supervisor: Child<never>): Promise<ExitReason> {
  supervisor.stop()
  return supervisor.exited
}
