/** One operation of the library's innermost loops, measured by tinybench. */
export interface MicroCase {
  readonly what: string
  /** How often `run` does it: one call of a few nanoseconds is less than the timer can tell. */
  readonly times: number
  run(): void
  /** The most µs that one may take. */
  readonly mostMicros?: number
}
