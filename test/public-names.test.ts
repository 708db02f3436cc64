import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Reads the declarations that a user's compiler reads, and follows the types in them. */

const dist = dirname(dirname(fileURLToPath(import.meta.url)))
const MAIN = join(dist, 'runtime', 'index.d.ts')
const TESTING = join(dist, 'runtime', 'testing', 'index.d.ts')

/** They check what is given to `defineTask` and speak in the compiler's errors; nobody writes them. */
const CHECKS = ['InputCheck', 'OutputCheck', 'AnnotateTheInputOfRun']

/** What a handler or a schema library is made of, of which the outer type is all that anybody names. */
const PARTS = ['LoadableHandler', 'SchemaResult', 'SchemaIssue']

interface Declared {
  /** Where it is declared, and under which name. */
  readonly id: string
  readonly path: string
  readonly text: string
  readonly exported: boolean
}

class Declarations {
  readonly #read: (path: string) => string
  readonly #texts = new Map<string, string>()

  constructor(read = (path: string) => readFileSync(path, 'utf8')) {
    this.#read = read
  }

  /** The names that an entry gives out. */
  namesOf(path: string): readonly string[] {
    return [...this.#links(path).keys()]
  }

  find(path: string, name: string): Declared | undefined {
    const own = [
      ...this.#text(path).matchAll(
        new RegExp(
          `^(export )?(?:declare )?(?:abstract )?(?:interface|class|type|const|function) ${name}\\b[\\s\\S]*?(?=^(?:export|declare|interface|type|const|class|function|import|\\}$)\\b|^\\}$|$(?![\\s\\S]))`,
          'gm',
        ),
      ),
    ]
    if (own.length > 0) {
      const text = own.map(([found]) => found).join('\n')
      return { id: `${path}#${name}`, path, text, exported: own.some(([, exported]) => exported !== undefined) }
    }
    const link = this.#links(path).get(name)
    return link === undefined || !link.from.startsWith('.')
      ? undefined
      : this.find(resolve(dirname(path), link.from.replace(/\.[jt]s$/, '.d.ts')), link.name)
  }

  /** Every exported type that can be reached from the names of an entry, with the one that mentions it. */
  reached(entry: string): ReadonlyMap<string, { readonly name: string; readonly by: string }> {
    const found = new Map<string, { name: string; by: string }>()
    const seen = new Set<string>()
    const follow = (path: string, name: string, by: string) => {
      const declared = this.find(path, name)
      if (declared === undefined) return
      if (declared.exported) found.set(declared.id, { name, by })
      if (seen.has(declared.id) || CHECKS.includes(name)) return
      seen.add(declared.id)
      for (const [word] of declared.text.matchAll(/\b[A-Z]\w+\b/g)) {
        if (word !== name) follow(declared.path, word, name)
      }
    }
    for (const name of this.namesOf(entry)) follow(entry, name, 'the entry')
    return found
  }

  #text(path: string): string {
    const known = this.#texts.get(path)
    if (known !== undefined) return known
    const text = this.#read(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|^\s*#?private[^\n]*$/gm, '')
    this.#texts.set(path, text)
    return text
  }

  #links(path: string): Map<string, { readonly from: string; readonly name: string }> {
    const links = new Map<string, { from: string; name: string }>()
    for (const [, clause = '', from = ''] of this.#text(path).matchAll(
      /^(?:import|export) (?:type )?\{([^}]*)\} from '([^']+)'/gm,
    )) {
      for (const part of clause.split(',')) {
        const [name = '', as = name] = part
          .trim()
          .replace(/^type /, '')
          .split(' as ')
        // Behind the last comma.
        if (name !== '') links.set(as, { from, name })
      }
    }
    return links
  }
}

/** Types that a user meets in a signature and cannot import. */
function missing(declarations: Declarations, entry: string, ...others: readonly string[]): string[] {
  const given = new Set(
    [entry, ...others].flatMap((each) => declarations.namesOf(each).map((name) => declarations.find(each, name)?.id)),
  )
  return [...declarations.reached(entry)]
    .filter(([id, { name }]) => !given.has(id) && ![...CHECKS, ...PARTS].includes(name))
    .map(([, { name, by }]) => `${name}, which ${by} mentions`)
}

describe('a type in a signature of the public API', () => {
  it('can be imported by its name', () => {
    const declarations = new Declarations()
    assert.ok(declarations.reached(MAIN).size > 50)
    assert.deepEqual(missing(declarations, MAIN), [])
    assert.deepEqual(missing(declarations, TESTING, MAIN), [])
  })

  it('would be found if it could not (control)', () => {
    const declarations = new Declarations((path) => {
      const text = readFileSync(path, 'utf8')
      return path === MAIN ? text.replace(/\bPriority, /, '').replace(/\bErrorRecord\b/, 'X') : text
    })
    const found = missing(declarations, MAIN).map((line) => line.split(',')[0])
    assert.deepEqual(
      found.sort((a = '', b = '') => a.localeCompare(b)),
      ['ErrorRecord', 'Priority'],
    )
  })

  it('needs no types of a package that a user does not have', () => {
    const { dependencies } = JSON.parse(readFileSync(join(dirname(dist), 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const declarations = new Declarations()
    const paths = new Set(
      [...declarations.reached(MAIN).keys(), ...declarations.reached(TESTING).keys()].map(
        (id) => id.split('#')[0] as string,
      ),
    )
    const packages = [...paths].flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/ from '([^.'][^']*)'/g)].map(([, name = '']) => name),
    )
    assert.ok(packages.includes('better-sqlite3'))
    for (const name of packages) {
      assert.ok(name.startsWith('node:') || name in dependencies, `${name} is not in dependencies`)
    }
    assert.ok('@types/better-sqlite3' in dependencies, 'better-sqlite3 has no types of its own')
  })
})
