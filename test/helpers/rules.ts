import { posix } from 'node:path'

/** Rules that a reviewer should not have to look for. Each is a function of a file; each is shown to catch a breach. */

export interface Source {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
}

/** Says what is wrong with a file: one line each. */
export type Rule = (source: Source) => readonly string[]

interface Import {
  readonly target: string
  /** An erased import costs nothing at run time and ties no modules together when they load. */
  readonly kind: 'value' | 'erased'
}

function importsOf({ path, text }: Source): readonly Import[] {
  const imports: Import[] = []
  const add = (specifier: string, kind: Import['kind']) => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier
    imports.push({ target, kind })
  }
  for (const [, clause = '', specifier = ''] of text.matchAll(
    /^(?:import|export)\s(?:([^'"`;]*?)\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )) {
    add(specifier, /^type\b/.test(clause) ? 'erased' : 'value')
  }
  for (const [, type, specifier = ''] of text.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]/g)) {
    add(specifier, type === undefined ? 'value' : 'erased')
  }
  return imports
}

// --- who may import whom ---------------------------------------------------------------------------------------------

/** Modules of Node that neither read nor write anything. */
const PURE_BUILTINS = ['node:async_hooks', 'node:buffer', 'node:util/types']

/** What all stages speak; it imports no stage but the journal. */
const SHARED = [
  'runtime/config/',
  'runtime/messages.ts',
  'runtime/catalog.ts',
  'runtime/emit.ts',
  'runtime/sibling-url.ts',
]

/** What puts the stages together, and so knows them all. */
const WIRING = ['runtime/supervise/', 'runtime/control/', 'runtime/desk/', 'runtime/testing/']

const PUBLIC_ENTRIES = ['runtime/index.ts', 'runtime/cli-support.ts', 'runtime/testing/index.ts']

/** What an adapter may import that is neither ours nor Node's: the driver of what it touches. */
const DRIVERS: Readonly<Record<string, readonly string[]>> = { cli: [], memory: [], rabbitmq: ['amqplib'] }

/** Adapters that the command line loads when somebody names one. */
const LOADED_BY_NAME = ['adapters/rabbitmq/index.ts']

/** Packages that one folder wraps for everybody else. */
const WRAPPED: Readonly<Record<string, string>> = {
  'better-sqlite3': 'runtime/journal/',
  piscina: 'runtime/places/',
  comlink: 'runtime/journal/',
}

/** What the suite for brokers, which others run in their own repositories, may need of Node. */
const SUITE_BUILTINS = ['node:assert/strict', 'node:test']

function isIn(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(folder))
}

function isShared(path: string): boolean {
  return isIn(path, SHARED)
}

function isWiring(path: string): boolean {
  if (isShared(path)) return false
  return posix.dirname(path) === 'runtime' || isIn(path, WIRING)
}

function mayImport(path: string, target: string): boolean {
  const within = (...folders: readonly string[]) => isIn(target, folders)
  const [area, part] = path.split('/')
  const isOurs = within('lib/', 'runtime/', 'adapters/')
  const wrapper = WRAPPED[target]
  if (wrapper !== undefined) return path.startsWith(wrapper)
  if (area === 'lib') return within('lib/') || PURE_BUILTINS.includes(target) || target === 'eventemitter3'
  if (area === 'conformance') return within('lib/', 'conformance/') || SUITE_BUILTINS.includes(target)
  if (area === 'adapters') {
    const drivers = DRIVERS[part as string] ?? []
    if (within('node:', 'lib/', `adapters/${part}/`) || drivers.includes(target)) return true
    return part === 'cli' && (PUBLIC_ENTRIES.includes(target) || LOADED_BY_NAME.includes(target))
  }
  if (!isOurs) return within('node:') || target === 'eventemitter3'
  if (isWiring(path)) return !within('adapters/')
  if (isShared(path)) return within('lib/', 'runtime/journal/') || isShared(target)
  return within('lib/', 'runtime/journal/', `runtime/${part}/`) || isShared(target)
}

export const importsFollowTheFolders: Rule = (source) =>
  importsOf(source)
    .filter(({ target }) => !mayImport(source.path, target))
    .map(({ target }) => `${source.path} imports ${target}`)

/** An entry in CommonJS does nothing but import the one that it stands for. */
export const entriesOfThreadsAreNotImported: Rule = (source) =>
  importsOf(source)
    .filter(() => !source.path.endsWith('-entry.cts'))
    .filter(({ target, kind }) => kind === 'value' && /(?:thread|process)-main\.ts$/.test(target))
    .map(({ target }) => `${source.path} imports ${target}, which runs at import: start it as a thread or a process`)

export function cyclesOf(sources: readonly Source[]): readonly string[] {
  const targets = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ target, kind }) => (kind === 'value' ? [target] : [])),
    ]),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (done.has(path) || trail.includes(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  return cycles
}

// --- what a file may hold --------------------------------------------------------------------------------------------

/** The code alone: comments, texts and patterns become blanks of the same length, lines stay where they are. */
function codeOf(text: string): string {
  const literal =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(,=:[!&|?{}\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\//g
  return text.replace(literal, (found) => found.replace(/[^\n]/g, ' '))
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

const MAX_FUNCTION_LINES = 50
const CONTROL = /\b(?:if|for|while|switch|catch|with)(?:\s+await)?\s*$/

/** Whether the brace at `open` begins the body of a function, by what stands before it. */
function opensFunction(code: string, open: number): boolean {
  const before = code.slice(0, open).trimEnd()
  if (before.endsWith('=>')) return true
  const signature = /\)(?:\s*:[^{}()=;]*)?$/.exec(before)
  if (signature === null) return false
  let depth = 0
  for (let at = signature.index; at >= 0; at--) {
    if (before[at] === ')') depth++
    if (before[at] === '(' && --depth === 0) return !CONTROL.test(before.slice(0, at))
  }
  return false
}

export const functionsAreShort: Rule = ({ path, text }) => {
  const code = codeOf(text)
  const open: { readonly at: number; readonly isFunction: boolean }[] = []
  const long: string[] = []
  let returnTypeEndedAt = -1
  for (let at = 0; at < code.length; at++) {
    if (code[at] === '{') {
      const afterReturnType = returnTypeEndedAt >= 0 && code.slice(returnTypeEndedAt + 1, at).trim() === ''
      open.push({ at, isFunction: afterReturnType || opensFunction(code, at) })
    }
    if (code[at] !== '}') continue
    const block = open.pop()
    if (block?.isFunction !== true) continue
    returnTypeEndedAt = at
    const lines = lineAt(code, at) - lineAt(code, block.at) + 1
    if (lines > MAX_FUNCTION_LINES) long.push(`${path}:${lineAt(code, block.at)} has a function of ${lines} lines`)
  }
  return long
}

export const filesAreShort: Rule = ({ path, text }) => {
  const most = path === 'runtime/runtime.ts' ? 200 : 350
  const lines = text.trimEnd().split('\n').length
  return lines > most ? [`${path} has ${lines} lines, expected at most ${most}`] : []
}

const CLOCKS = ['lib/clock.ts', 'lib/manual-clock.ts', 'runtime/testing/life-clock.ts']
/** `eventLoopUtilization` tells how busy a loop was, and not what time it is. */
const READS_CLOCK =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\)|\bperformance\b(?!\.eventLoopUtilization\b)|\bAbortSignal\.timeout\b|\bprocess\.(?:hrtime|uptime)\b|(?:\bglobalThis\.|(?<![.\w#]))set(?:Timeout|Interval|Immediate)\(/g

/** Of all that measures time it only counts. */
const HISTOGRAM = /^import \{ createHistogram, type RecordableHistogram \} from 'node:perf_hooks'$/m

export const onlyTheClockTellsTime: Rule = ({ path, text }) => {
  if (CLOCKS.includes(path)) return []
  const timers = importsOf({ path, text: text.replace(HISTOGRAM, '') }).filter(({ target }) =>
    /^node:(?:timers|perf_hooks)/.test(target),
  )
  const code = codeOf(text)
  return [
    ...timers.map(({ target }) => `${path} imports ${target}`),
    ...[...code.matchAll(READS_CLOCK)].map(({ 0: call, index }) => `${path}:${lineAt(code, index)} uses ${call}`),
  ]
}

/** They open a file for a moment, and are no part of a service. */
const TOOLS = 'runtime/journal/tools/'

export const statementsAreKept: Rule = ({ path, text }) => {
  if (!path.startsWith('runtime/journal/') || path.startsWith(TOOLS) || path === 'runtime/journal/files/sqlite.ts')
    return []
  const code = codeOf(text)
  return [...code.matchAll(/\.(?:prepare|pragma)\b/g)].map(
    ({ 0: call, index }) =>
      `${path}:${lineAt(code, index)} uses ${call}: sqlite.ts keeps statements, exec sets pragmas`,
  )
}

export const nothingIsLeftToDo: Rule = ({ path, text }) =>
  [...text.matchAll(/\b(?:TOD[O]|FIXM[E])\b/g)].map(
    ({ 0: word, index }) => `${path}:${lineAt(text, index)} says ${word}`,
  )

export const publicNamesAreListed: Rule = ({ path, text }) =>
  PUBLIC_ENTRIES.includes(path) && /^export\s+(?:type\s+)?\*/m.test(text) ? [`${path} exports *`] : []
