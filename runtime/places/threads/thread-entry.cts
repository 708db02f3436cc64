/**
 * What piscina loads in a thread. It requires its entry before it tries to import it, and Node aborts the whole process
 * where a thread is terminated in the middle of requiring an ES module (test/runtime/places/threads/thread-entry.test.ts). So
 * the entry is CommonJS, and imports the rest.
 */
const threadMain = import('./thread-main.ts')
// Told by the run, if it fails.
threadMain.catch(() => undefined)

module.exports = async (run: import('../thread-protocol.ts').ThreadRun) => (await threadMain).default(run)
