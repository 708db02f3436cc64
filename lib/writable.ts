/** What is read-only to everybody else, while it is made: where a spread for each field that may be absent costs too much. */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
