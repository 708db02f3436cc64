/**
 * The programs in a page of documentation: a block of code whose first line is a comment with a file's name, as in
 * `// service.ts`, is that file, and the files of one page belong together. Other blocks are excerpts.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** File names and their text. */
export function programsOf(markdown) {
  const blocks = [...markdown.matchAll(/^```(?:ts|js)\n(\/\/ ([\w.-]+\.[jt]s)\b[^]*?)^```$/gm)]
  return new Map(blocks.map(([, text, name]) => [name, text]))
}

/** Those that no other one imports: they are started, in the order of the page. */
export function entriesOf(programs) {
  const texts = [...programs.values()].join('\n')
  return [...programs.keys()].map(built).filter((name) => !texts.includes(`'./${name}'`))
}

/** Writes the programs of a page into a folder, compiles what is TypeScript, runs the entries; throws if one fails. */
export function runPrograms(programs, folder, compiler) {
  mkdirSync(folder)
  for (const [name, text] of programs) writeFileSync(join(folder, name), text)
  const sources = [...programs.keys()].filter((name) => name.endsWith('.ts'))
  const run = (...args) => execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023', '--types', 'node']
  if (sources.length > 0) run(compiler, ...options, ...sources)
  return entriesOf(programs).map((name) => ({
    name,
    out: name.endsWith('.test.js') ? run('--test', name) : run(name),
  }))
}

function built(name) {
  return name.replace(/\.ts$/, '.js')
}
