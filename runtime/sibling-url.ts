/**
 * The URL of a module that stands beside the caller's, with the caller's own extension: `.js` where it was built, `.ts`
 * where Node strips types; `.cjs` and `.cts` for one that is CommonJS. The compiler rewrites import specifiers, but not
 * URLs.
 */
export function siblingUrl(name: string, caller: string, format: 'module' | 'commonjs' = 'module'): URL {
  const language = caller.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`${name}.${format === 'commonjs' ? 'c' : ''}${language}`, caller)
}
