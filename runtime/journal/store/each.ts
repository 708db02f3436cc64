import { faultOf } from '../files/faults.ts'
import type { Ledger } from './ledger.ts'

/**
 * Acts on all of them under one savepoint; if one of them cannot be written, on each under a savepoint of its own, so that
 * what fails is undone alone. What fails the journal itself is thrown.
 */
export function each<T, R>(
  ledger: Ledger,
  items: readonly T[],
  act: (item: T) => R,
  failed: (item: T, error: unknown) => R,
) {
  const together = undoable(ledger, () => items.map(act))
  return together.type === 'done' ? together.value : items.map((item) => alone(ledger, item, act, failed))
}

function alone<T, R>(ledger: Ledger, item: T, act: (item: T) => R, failed: (item: T, error: unknown) => R): R {
  const done = undoable(ledger, () => act(item))
  return done.type === 'done' ? done.value : failed(item, done.error)
}

type Tried<R> = { readonly type: 'done'; readonly value: R } | { readonly type: 'undone'; readonly error: unknown }

/** Does all of it or nothing, under a savepoint. What fails the journal itself is thrown. */
export function undoable<R>(ledger: Ledger, work: () => R): Tried<R> {
  const undo = ledger.remember()
  try {
    return { type: 'done', value: ledger.db.transaction(work)() }
  } catch (error) {
    if (!ledger.db.inTransaction || faultOf(error) !== undefined) throw error
    undo()
    return { type: 'undone', error }
  }
}
