import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { defineTask } from 'millrace'

export interface Fingerprint {
  readonly bytes: number
  readonly sha256: string
  readonly gzipBytes: number
  readonly lines: number
}

/** CPU work: it runs on threads, so that the loop of the process stays free. */
export const fingerprint = defineTask({
  name: 'file.fingerprint',
  async run({ file }: { readonly file: string }) {
    const content = await readFile(file)
    return {
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      gzipBytes: gzipSync(content).length,
      lines: countLines(content),
    }
  },
})

function countLines(content: Buffer): number {
  let lines = 0
  for (let at = content.indexOf(10); at >= 0; at = content.indexOf(10, at + 1)) lines++
  return lines
}
