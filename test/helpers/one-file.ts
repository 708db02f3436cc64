import { beforeEach } from 'node:test'
import { pathToFileURL } from 'node:url'

/** Runs the tests of a file: `one-file.js FILE`. One that never gives the loop back has been told of as begun by then. */

beforeEach(() => new Promise((resolve) => void setImmediate(resolve)))
await import(pathToFileURL(process.argv[2] as string).href)
