/**
 * The URL of a module that stands beside the caller's, with the caller's own extension: `.js` where it was built, `.ts`
 * where Node strips types. The compiler rewrites import specifiers, but not URLs.
 */
export function siblingUrl(name: string, caller: string): URL {
  const extension = caller.endsWith('.ts') ? '.ts' : '.js'
  return new URL(`${name}${extension}`, caller)
}
