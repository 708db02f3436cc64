import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type JournalOptions, type OpenJournal, openJournal } from '../../runtime/journal/open.ts'
import { START } from './journal-openers.ts'

type Test = { after(end: () => void): unknown }

/** Options of a journal whose ended jobs are kept for a second. */
export function optionsOf(file: string, durability: JournalOptions['durability'] = 'full'): JournalOptions {
  return { file, durability, keepEndedMs: 1_000 }
}

/** Opens a journal that is closed when the test is over, at the latest. */
export function open(test: Test, file: string, resume?: number): OpenJournal {
  const journal = openJournal(optionsOf(file), START, resume)
  test.after(() => journal.close())
  return journal
}

interface Tried {
  readonly code?: string
  readonly epoch?: number
  readonly message?: string
  readonly details?: unknown
}

/** What came of it that another process has tried to own the journal. */
export function openInAnotherProcess(file: string): Tried {
  const script = fileURLToPath(new URL('../fixtures/open-journal.js', import.meta.url))
  return JSON.parse(execFileSync(process.execPath, [script, file], { encoding: 'utf8' })) as Tried
}
