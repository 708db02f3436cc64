import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { webcrypto } from 'node:crypto'
import type { ReadableStream } from 'node:stream/web'
import type { Fingerprint } from './tasks.ts'

/** The same facts of a file by other code than the task's: web streams and Web Crypto, and lines by their text. */
export async function check(file: string): Promise<Fingerprint> {
  const parts: Buffer[] = []
  for await (const part of createReadStream(file)) parts.push(part as Buffer)
  const content = Buffer.concat(parts)
  const digest = await webcrypto.subtle.digest('SHA-256', content)
  return {
    bytes: content.length,
    sha256: Buffer.from(digest).toString('hex'),
    gzipBytes: await gzipBytes(content),
    lines: content.toString('latin1').split('\n').length - 1,
  }
}

async function gzipBytes(content: Buffer): Promise<number> {
  const zipped = Readable.toWeb(Readable.from([content])).pipeThrough(new CompressionStream('gzip'))
  let bytes = 0
  for await (const part of zipped as ReadableStream<Uint8Array>) bytes += part.length
  return bytes
}
