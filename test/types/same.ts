/** `true` where both types are the same to the compiler, and not merely assignable to each other. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only where its parameter is `true`. */
export function holds<_Claim extends true>(): void {}

/** Compiles only where its parameter is `false`. */
export function fails<_Claim extends false>(): void {}

holds<Same<{ a?: string }, { a?: string }>>()
fails<Same<{ a?: string }, { a: string | undefined }>>()
fails<Same<unknown, string>>()
