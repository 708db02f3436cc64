import { beforeEach } from 'node:test'

// Loaded ahead of a file of tests: one that never gives the loop back has been told of as begun by then.
beforeEach(() => new Promise((resolve) => void setImmediate(resolve)))
