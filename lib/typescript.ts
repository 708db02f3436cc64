/** What to do where Node has refused a module for its extension, if that is one of TypeScript's. */
export function typeScriptWayOut(refusal: string): string | undefined {
  if (!/^Unknown file extension "\.[cm]?ts"/.test(refusal)) return undefined
  return 'build it and name the file in JavaScript, install tsx and start Node with it (NODE_OPTIONS="--import tsx"), or use Node 22.18 or later'
}
