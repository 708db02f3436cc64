import { isMainThread } from 'node:worker_threads'

// Loaded before every test file (scripts/test.js); also in the runner itself and in every thread, where the test module
// would only get in the way: it listens to what nobody has handled.
if (isMainThread && process.env['NODE_TEST_CONTEXT'] !== undefined) {
  const { after } = await import('node:test')
  const { leakCheck } = await import('./leak-check.ts')
  leakCheck({ after }, { withinMs: 5_000 })
}
