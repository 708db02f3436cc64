import { describeControls } from './helpers/controls.ts'

const OWN_OUTPUT = 'adapters/cli/own-output.test.js'

describeControls([
  {
    protection: 'outcomes that were written on no line of this journal are of another run',
    mutation: { file: 'adapters/cli/run/own-output.js', from: 'if (last <= read)', to: 'if (last >= 0)' },
    file: OWN_OUTPUT,
    test: 'is not printed where the journal was deleted',
  },
  {
    protection: 'a journal goes on with the output it has had before',
    mutation: { file: 'adapters/cli/run/run-mark.js', from: 'this.#output = output ?? undefined;', to: '' },
    file: OWN_OUTPUT,
    test: 'is the one that it goes on with',
  },
  {
    protection: 'an output that somebody else has changed gets nothing more',
    mutation: { file: 'adapters/cli/run/outcome-file.js', from: 'size === this.#bytes', to: 'size >= this.#bytes' },
    file: OWN_OUTPUT,
    test: 'gets nothing more where another run has written',
  },
  {
    protection: 'outcomes are written to the file that has the name of the output',
    mutation: { file: 'adapters/cli/run/outcome-file.js', from: 'ino === this.#from.ino', to: 'ino !== 0' },
    file: OWN_OUTPUT,
    test: 'is no place for outcomes where',
  },
  {
    protection: 'a text without an end is no torn line of ours',
    mutation: {
      file: 'adapters/cli/run/outcome-line.js',
      from: 'return text.startsWith(FIRST)',
      to: 'return text !== "" || text.startsWith(FIRST)',
    },
    file: OWN_OUTPUT,
    test: 'is not cut where it is a text without an end',
  },
  {
    protection: 'a line for which the limits name no key ends no run',
    mutation: { file: 'lib/limits.js', from: "code === 'MILLRACE_INVALID_OPTION' &&", to: 'code === undefined &&' },
    file: 'adapters/cli/run.test.js',
    test: 'refuses a line for which the limits of the task name no key',
  },
])
