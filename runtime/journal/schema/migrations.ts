/**
 * What brings a journal of a version to the next one, by the version it is of. It is history: each text says what was to be
 * done then, in full, and never changes, whatever becomes of the tables later.
 * What a table allows is changed in its text (https://sqlite.org/lang_altertable.html, at the end): no row is written, so that
 * it takes as long with a large backlog as with none, and views and triggers of others stay what they are.
 */
export const MIGRATIONS: ReadonlyMap<number, string> = new Map([
  [
    1,
    `
    ALTER TABLE millrace_jobs ADD COLUMN part TEXT;
    CREATE INDEX millrace_parted ON millrace_jobs (task, part, rank, ord) WHERE state = 1 AND part IS NOT NULL;
    CREATE TABLE millrace_settings (
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE millrace_rates (
      name TEXT PRIMARY KEY,
      used_until REAL NOT NULL
    ) STRICT, WITHOUT ROWID;`,
  ],
  [
    2,
    `
    PRAGMA writable_schema = ON;
    UPDATE sqlite_master SET sql = replace(replace(sql,
        'CHECK (state BETWEEN 0 AND 7)',
        'CHECK (state BETWEEN 0 AND 8)'),
        'CHECK ((state = 0) = (due_at IS NOT NULL))',
        'CHECK ((state = 0) = (due_at IS NOT NULL) OR (due_at IS NOT NULL AND rank >= 48 AND state BETWEEN 1 AND 2))')
      WHERE type = 'table' AND name = 'millrace_jobs';
    PRAGMA writable_schema = RESET;
    ALTER TABLE millrace_jobs ADD COLUMN origin TEXT;
    CREATE INDEX millrace_away ON millrace_jobs (task, id) WHERE state = 8;
    CREATE TABLE millrace_taken (
      id TEXT PRIMARY KEY,
      claim INTEGER NOT NULL,
      until INTEGER NOT NULL,
      verdict TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX millrace_taken_until ON millrace_taken (until);
    CREATE TABLE millrace_homeward (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      queue TEXT NOT NULL,
      outcomes INTEGER NOT NULL,
      text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE millrace_unwanted (
      id TEXT PRIMARY KEY,
      sent_before INTEGER NOT NULL,
      until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;`,
  ],
  [3, 'CREATE INDEX millrace_scheduled_of_task ON millrace_jobs (task, due_at) WHERE state = 0;'],
])
