import type { Report, Stats } from './report.ts'

/** The service as the demo sees it, of one process or of several. */
export interface Playing extends AsyncDisposable {
  /** Where it takes posts; `undefined` while it is down. */
  readonly url: string | undefined
  look(signal: AbortSignal): Promise<Seen>
  report(signal: AbortSignal): Promise<Report>
}

/** How far things are, as far as it can be seen. */
export interface Seen {
  readonly stats: Stats
  /** 'over' if no job has an end before it. */
  readonly state: 'over' | 'going-on'
  /** The same for who reads it. */
  readonly text: string
}
