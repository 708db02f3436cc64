/** How long aborted attempts get to end by themselves when the grace is over, before they are ended from outside. */
export const ABORT_MS = 80

/** What a thread or a process needs at least to tear down and exit. */
export const EXIT_MS = 60
