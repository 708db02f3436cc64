/** Pages of log after which a commit of the owner moves them into the file: about 16 MiB. */
export const CHECKPOINT_PAGES = 4_000

/**
 * The same for who writes while there may be no owner for days: nobody else would move the log then. Beside an owner, which is
 * first, it seldom gets there. Two that move it at once are safe in every SQLite that `assertSqliteVersion` lets pass.
 */
export const CHECKPOINT_PAGES_OF_OTHERS = 2 * CHECKPOINT_PAGES

/** What is left of the log's file, at most, once all of it has been moved. */
export const LOG_LIMIT_BYTES = 64 * 1024 * 1024
