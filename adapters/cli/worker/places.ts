import { MillraceError } from '../../../lib/errors.ts'
import type { AnyTask } from '../../../lib/task.ts'
import type { RuntimeOptions } from '../../../runtime/index.ts'
import { numberOption } from '../arguments.ts'
import { refuseClashes } from '../run/tasks-module.ts'

export type Sizes = Readonly<Record<string, number>>

/** The numbers of options like `--tier photos=4`, by name. */
export function sizesOf(option: 'tier' | 'lane', texts: readonly string[], most: number): Sizes {
  const entries = texts.map((text): [string, number] => {
    const at = text.indexOf('=')
    if (at > 0) return [text.slice(0, at), numberOption(option, text.slice(at + 1), 1, most)]
    throw new MillraceError(
      'MILLRACE_CLI',
      `got ${JSON.stringify(text)}, expected a name and a number, as --${option} ${option === 'tier' ? 'photos=4' : 'network=200'}`,
      { path: `--${option}` },
    )
  })
  return Object.fromEntries(entries)
}

/**
 * Every place that a job of these tasks may be meant for. Senders may have promoted a task to `fast`, so that one is there
 * in any case. Lanes have a thread, so that no handler blocks this process.
 */
export function workerPlaces(
  tasks: readonly AnyTask[],
  { tiers, lanes }: { readonly tiers: Sizes; readonly lanes: Sizes },
): Pick<RuntimeOptions, 'tiers' | 'lanes'> {
  refuseClashes(tasks)
  const named = (type: 'tier' | 'lane') =>
    tasks.filter(({ place }) => place.type === type).map(({ place }) => place.name)
  const threads = (name: string) => tiers[name] ?? (name === 'default' ? undefined : 1)
  const all = (type: 'tier' | 'lane', sizes: Sizes) => [...new Set([...named(type), ...Object.keys(sizes)])]
  return {
    tiers: Object.fromEntries(
      [...new Set(['fast', 'default', ...all('tier', tiers)])].map((name) => {
        const count = threads(name)
        return [name, count === undefined ? {} : { threads: count }]
      }),
    ),
    lanes: Object.fromEntries(
      all('lane', lanes).map((name) => [
        name,
        { threads: 1, ...(lanes[name] !== undefined && { concurrency: lanes[name] }) },
      ]),
    ),
  }
}
