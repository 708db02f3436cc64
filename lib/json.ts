/** What can be stored and sent as it is: what `JSON.parse` gives back. */
export type Json = JsonPrimitive | readonly Json[] | { readonly [key: string]: Json }

export type JsonPrimitive = string | number | boolean | null

declare const hint: unique symbol

/** Stands in an error message of the compiler at the place of a value that cannot be stored. No value has this type. */
export interface NotJson<Hint extends string> {
  readonly [hint]: Hint
}

/**
 * `T` where `T` is made of JSON values, interfaces and optional properties included; elsewhere the same shape with a
 * `NotJson` at each place that is opaque. So `T extends JsonSafe<T>` holds exactly for what may be stored.
 *
 * An `any` inside passes, as everywhere; the encoder looks at the value itself. An optional property may be declared
 * `| undefined`, as schema libraries do, but a value that says `undefined` is refused when it is encoded.
 */
export type JsonSafe<T> =
  IsAny<T> extends true
    ? T
    : unknown extends T
      ? NotJson<'unknown may be anything: say its type, or Json'>
      : [Json] extends [T]
        ? // Json inside Json would be looked at without end.
          JsonSafeValue<Exclude<T, Json>> | Json
        : JsonSafeValue<T>

/** Whether `T` is `any`. */
export type IsAny<T> = 0 extends 1 & T ? true : false

type JsonSafeValue<T> = T extends JsonPrimitive
  ? T
  : T extends OpaqueKind[keyof OpaqueKind][0]
    ? HintFor<T>
    : { [K in keyof T]: K extends symbol ? NotJson<'symbol keys are not JSON: use strings'> : Field<T, K> }

type Field<T, K extends keyof T> =
  T extends Record<K, unknown> ? JsonSafe<T[K]> : JsonSafe<Exclude<T[K], undefined>> | undefined

interface OpaqueKind {
  undefined: [undefined, 'undefined is not JSON: leave the property out, or use null']
  bigint: [bigint, 'a bigint is not JSON: pass its string']
  symbol: [symbol, 'a symbol is not JSON: pass a string']
  function: [(...values: never) => unknown, 'a function is not JSON: pass the values it needs']
  constructor: [abstract new (...values: never) => unknown, 'a class is not JSON: pass the values it needs']
  Date: [Date, 'a Date is not JSON: pass toISOString() or epoch ms']
  Map: [ReadonlyMap<never, unknown>, 'a Map is not JSON: pass an array of pairs, or an object']
  Set: [ReadonlySet<never>, 'a Set is not JSON: pass an array']
  bytes: [ArrayBufferLike | ArrayBufferView, 'bytes are not JSON: pass a base64 string, or where they are stored']
  RegExp: [RegExp, 'a RegExp is not JSON: pass its source']
  Promise: [PromiseLike<unknown>, 'a promise is not JSON: await it']
}

type HintFor<T> = {
  [Kind in keyof OpaqueKind]: T extends OpaqueKind[Kind][0] ? NotJson<OpaqueKind[Kind][1]> : never
}[keyof OpaqueKind]

declare const where: unique symbol

/** What the compiler says where an input cannot be stored: `Place` is its shape, with a hint at what is opaque. */
export interface InputIsNotJson<Place> {
  readonly [where]: Place
}

/** What the compiler says where a result cannot be stored. */
export interface OutputIsNotJson<Place> {
  readonly [where]: Place
}

type IsStorable<T> = unknown extends T ? 'yes' : [T] extends [JsonSafe<T> | undefined | void] ? 'yes' : 'no'

// Looked up rather than chosen by a conditional type, into which the compiler would infer type parameters.
/** Adds nothing where `T` can be stored as an input; elsewhere a demand on `name` that no string meets. */
export type InputCheck<T> = { yes: unknown; no: { readonly name: InputIsNotJson<JsonSafe<T>> } }[IsStorable<T>]
/** The same for a result. */
export type OutputCheck<T> = { yes: unknown; no: { readonly name: OutputIsNotJson<JsonSafe<T>> } }[IsStorable<T>]
