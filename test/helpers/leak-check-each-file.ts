import { after } from 'node:test'
import { leakCheck } from './leak-check.ts'

// Loaded before every test file (scripts/test.js), and in the runner itself, which has nothing to check.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) leakCheck({ after }, { withinMs: 5_000 })
