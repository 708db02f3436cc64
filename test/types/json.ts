import type { Json, JsonSafe, NotJson } from '../../lib/json.ts'
import { fails, holds, type Same } from './same.ts'

type Accepts<T> = [T] extends [JsonSafe<T>] ? true : false

interface Photo {
  readonly file: string
  readonly size?: { readonly width: number; readonly height: number }
  readonly tags: readonly string[]
  readonly place: null | [latitude: number, longitude: number, altitude?: number]
}

interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}

class Point {
  x = 0
}

class Account {
  balance = 0
  deposit(amount: number): void {
    this.balance += amount
  }
}

// Values as they are, interfaces and recursion included.
holds<Accepts<string>>()
holds<Accepts<'a' | 1 | true | null>>()
holds<Accepts<Photo>>()
holds<Accepts<Tree>>()
holds<Accepts<Json>>()
holds<Accepts<{ readonly anything: Json }>>()
holds<Accepts<Record<string, number[]>>>()
holds<Accepts<{ kind: 'a'; a: number } | { kind: 'b'; b?: string }>>()
holds<Accepts<[first: string, ...rest: number[]]>>()
holds<Accepts<string & { readonly brand: 'FollowerId' }>>()
// A class without methods has the shape of its fields; the encoder refuses the instance.
holds<Accepts<Point>>()
// Schema libraries write optional properties so.
holds<Accepts<{ a?: string | undefined }>>()
// As everywhere, `any` is not looked into.
// oxlint-disable-next-line typescript/no-explicit-any
holds<Accepts<{ a: any }>>()

// What is opaque is not accepted, wherever it stands.
fails<Accepts<Date>>()
fails<Accepts<{ a: { b: Date }[] }>>()
fails<Accepts<{ a?: Date }>>()
fails<Accepts<[string, Date]>>()
fails<Accepts<Record<string, Date>>>()
fails<Accepts<string | Date>>()
fails<Accepts<Json | Date>>()
fails<Accepts<Map<string, number>>>()
fails<Accepts<Set<string>>>()
fails<Accepts<bigint>>()
fails<Accepts<symbol>>()
fails<Accepts<() => void>>()
fails<Accepts<{ act(): void }>>()
fails<Accepts<{ act?(): void }>>()
fails<Accepts<typeof Point>>()
fails<Accepts<Account>>()
fails<Accepts<Uint8Array>>()
fails<Accepts<Buffer>>()
fails<Accepts<ArrayBuffer>>()
fails<Accepts<RegExp>>()
fails<Accepts<URL>>()
fails<Accepts<Error>>()
fails<Accepts<Promise<string>>>()
fails<Accepts<unknown>>()
fails<Accepts<{ a: unknown }>>()
fails<Accepts<{ a: string | undefined }>>()
fails<Accepts<(string | undefined)[]>>()
fails<Accepts<Record<string, string | undefined>>>()
fails<Accepts<{ [Symbol.iterator]: string }>>()

// The error names the place and says what to do.
holds<
  Same<
    JsonSafe<{ id: string; at?: { due: Date } }>,
    { id: string; at?: { due: NotJson<'a Date is not JSON: pass toISOString() or epoch ms'> } | undefined }
  >
>()
holds<Same<JsonSafe<bigint[]>, NotJson<'a bigint is not JSON: pass its string'>[]>>()
holds<Same<JsonSafe<unknown>, NotJson<'unknown may be anything: say its type, or Json'>>>()
holds<Same<JsonSafe<Photo>['tags'], readonly string[]>>()
