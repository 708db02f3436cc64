import assert from 'node:assert/strict'
import type { Ledger } from '../../runtime/journal/store/ledger.ts'

interface Statement {
  readonly source: string
}

/**
 * Plants a fault: prepares a statement of the ledger anew from an altered text. For controls, which show that a test
 * fails where a protection is missing.
 */
export function alter(ledger: Ledger, name: keyof Ledger['sql'], part: string, replacement: string): void {
  const statements = ledger.sql as unknown as Record<string, Statement | Record<string, Statement>>
  const found = statements[name] as Statement | Record<string, Statement>
  if (isStatement(found)) statements[name] = altered(ledger, found, part, replacement)
  else for (const [key, each] of Object.entries(found)) found[key] = altered(ledger, each, part, replacement)
}

function altered({ db }: Ledger, { source }: Statement, part: string, replacement: string): Statement {
  assert.ok(source.includes(part), `there is no ${part} in ${source}`)
  return db.prepare(source.replace(part, replacement))
}

function isStatement(value: Statement | Record<string, Statement>): value is Statement {
  return typeof value.source === 'string'
}

/** Plants a fault that is met once. */
export function failOnce(statement: Pick<Ledger['commit'], 'run'>): void {
  const { run } = statement
  statement.run = () => {
    statement.run = run
    throw new Error('this does not go through')
  }
}
