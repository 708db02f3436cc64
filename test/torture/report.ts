import { faults } from './tally.ts'
import type { Report } from './siege.ts'

/** What of a report has to be 0, and is not. */
export function faultsOf(report: Report): readonly string[] {
  const all = [...faults, 'left', 'crashes'] as const
  return all.filter((fault) => report[fault] > 0).map((fault) => `${fault} ${report[fault]}`)
}

const LEDGER = [
  'attempted',
  'acknowledged',
  'executed',
  'lost',
  'unexpected',
  'duplicated',
  'recovered',
  'dead',
  'away',
  'wrong',
  'left',
  'crashes',
] as const

/** The ledger in one line, as it is printed and quoted. */
export function summaryOf(report: Report): string {
  const { kills, reruns, unexplained } = report
  return [
    LEDGER.map((name) => `${name} ${report[name]}`).join(', '),
    `begun again ${reruns} (${unexplained} of these jobs without a kill that explains it)`,
    `kills: ${killsOf(kills)}`,
  ].join('\n')
}

export function killsOf({ broker, publisher, worker }: Report['kills']): string {
  return `${broker} of the broker, ${publisher} of publishers, ${worker} of workers`
}
