import { rename } from 'node:fs/promises'
import type { HandlerOf } from 'millrace'
import sharp from 'sharp'
import type { thumbnail } from './tasks.ts'

// The tier's threads are the concurrency; libvips shall not multiply it.
sharp.concurrency(1)

/** Renamed when complete, so that a kill leaves no half picture under the name that is looked for. */
const makeThumbnail: HandlerOf<typeof thumbnail> = async ({ original, file, width }, { jobId }) => {
  const unfinished = `${file}.${jobId}`
  const { size } = await sharp(original).rotate().resize({ width }).jpeg({ quality: 80 }).toFile(unfinished)
  await rename(unfinished, file)
  return { bytes: size }
}

export default makeThumbnail
