/** Says what an object of ours is. Not a class: a service may hold two copies of this package. */
export const kind: unique symbol = Symbol.for('millrace.kind')

/** Whether `value` was made by a function of this package that marks what it makes with `wanted`. Never throws. */
export function isOfKind(value: unknown, wanted: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  try {
    return (value as { [kind]?: unknown })[kind] === wanted
  } catch {
    // A proxy may throw whatever it likes.
    return false
  }
}
