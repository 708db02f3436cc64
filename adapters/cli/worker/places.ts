import { MillraceError, nearest } from '../../../lib/errors.ts'
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

/** There whatever the tasks name. */
const TIERS = ['fast', 'default']

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
  const ofTiers = [...new Set([...TIERS, ...named('tier')])]
  const ofLanes = [...new Set(named('lane'))]
  refuseUnnamed('tier', tiers, ofTiers, tasks.every(({ place }) => place.pinned) ? 'never' : 'by ladders')
  refuseUnnamed('lane', lanes, ofLanes)
  const threads = (name: string) => tiers[name] ?? (name === 'default' ? undefined : 1)
  return {
    tiers: Object.fromEntries(
      [...new Set([...ofTiers, ...Object.keys(tiers)])].map((name) => {
        const count = threads(name)
        return [name, count === undefined ? {} : { threads: count }]
      }),
    ),
    lanes: Object.fromEntries(
      ofLanes.map((name) => [name, { threads: 1, ...(lanes[name] !== undefined && { concurrency: lanes[name] }) }]),
    ),
  }
}

/**
 * A size of a place to which no job can come is a mistake. `moved` is where jobs come from that no task names, if anywhere:
 * senders move tasks that name no tier along a ladder of their own, so that only a name close to another one is wrong then.
 */
function refuseUnnamed(
  option: 'tier' | 'lane',
  sizes: Sizes,
  names: readonly string[],
  moved: 'by ladders' | 'never' = 'never',
): void {
  for (const wrong of Object.keys(sizes).filter((name) => !names.includes(name))) {
    const near = nearest(wrong, names)
    if (near === undefined && moved === 'by ladders') continue
    throw new MillraceError(
      'MILLRACE_CLI',
      `no task of the modules names the ${option} ${JSON.stringify(wrong)}; expected one of ` +
        `${names.join(', ') || 'those that a task names, which are none'}` +
        (near === undefined ? '; leave it out' : `; did you mean ${near}?`),
      { path: `--${option}` },
    )
  }
}
