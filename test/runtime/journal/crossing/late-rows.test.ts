import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LateRows, type LateRow } from '../../../../runtime/journal/crossing/late-rows.ts'

function rowOf(number: number): LateRow {
  const id = `other1-${number}`
  const job = { number, task: 0, input: '1', id, claim: 2 ** 20, attempt: 0, createdAt: 1 }
  return { job, rank: 4, ord: number, origin: { id, claim: job.claim } }
}

type Step = { readonly do: 'add' | 'take'; readonly number: number } | { readonly do: 'mark' | 'undo' | 'commit' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'take' as const), number: fc.nat(5) }),
  fc.record({ do: fc.constantFrom('mark' as const, 'undo' as const, 'commit' as const) }),
)

describe('rows that are put off', () => {
  it('are as they were at any mark of the same transaction, when it is undone to there', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const late = new LateRows()
        let marks: { readonly changes: number; readonly rows: ReadonlyMap<number, LateRow> }[] = []
        for (const each of steps) {
          if (each.do === 'add') late.add(each.number, rowOf(each.number))
          else if (each.do === 'take') late.take(each.number)
          else if (each.do === 'mark') marks.push({ changes: late.changes, rows: new Map(late) })
          else if (each.do === 'undo') {
            const mark = marks.pop() ?? { changes: 0, rows: undefined }
            late.undoTo(mark.changes)
            if (mark.rows !== undefined) assert.deepEqual(new Map(late), mark.rows)
          } else {
            late.committed()
            marks = []
          }
        }
      }),
    )
  })
})
