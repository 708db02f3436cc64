import type { Runtime } from '../../runtime/index.ts'

/** A stop that the runtime begins by itself gets the grace of the command too, unless who asked for it has named another. */
export function giveGraceToOwnStops(runtime: Pick<Runtime, 'once' | 'stop'>, graceMs: number): void {
  runtime.once('runtime.unfit', () => void runtime.stop({ graceMs }))
  runtime.once('node.drain', ({ graceMs: asked = graceMs }) => void runtime.stop({ graceMs: asked }))
}
