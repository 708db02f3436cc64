/** A test that needs root is left out for others; where `CI` is set all have to run, and this throws. */
export function refuseToLeaveOut(why: string): void {
  if (!process.env['CI']) return
  throw new Error(`${why}, and nothing may be left out where CI is set: run the tests as root, or without CI`)
}
