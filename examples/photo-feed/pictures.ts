import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import sharp from 'sharp'
import { scatter } from './followers.ts'

const SIZE = 1_080
const DRAWN = 12
const READ_AT_MOST = 100
const KINDS = ['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.tif', '.tiff']

/** Pictures that can be posted: those of a folder, or else some that are drawn; says which files are none. */
export function picturesFrom(folder: string | undefined, say: (text: string) => void): Promise<readonly Buffer[]> {
  if (folder !== undefined) return readPictures(folder, say)
  return Promise.all(Array.from({ length: DRAWN }, (_, seed) => draw(seed)))
}

async function readPictures(folder: string, say: (text: string) => void): Promise<readonly Buffer[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && KINDS.includes(extname(entry.name).toLowerCase()))
    .map(({ name }) => name)
    .sort()
  const pictures: Buffer[] = []
  for (const name of names.slice(0, READ_AT_MOST)) {
    try {
      const content = await readFile(join(folder, name))
      await sharp(content, { failOn: 'truncated' }).resize(8).raw().toBuffer()
      pictures.push(content)
    } catch (error) {
      say(`left out: ${name}: ${(error as Error).message}`)
    }
  }
  if (pictures.length > 0) return pictures
  throw new Error(
    `no picture in ${folder}; expected files that end in ${KINDS.join(', ')} and can be decoded; name another folder`,
  )
}

/** A sunset over hills, another one for each seed. */
function draw(seed: number): Promise<Buffer> {
  const chance = (part: number, most: number) => scatter(seed * 100 + part) % most
  const hue = chance(0, 360)
  const hills = Array.from({ length: 4 }, (_, at) => {
    const height = 560 + at * 110
    const curve = `C 300 ${height - chance(at + 1, 300)} 700 ${height + chance(at + 5, 200)} ${SIZE} ${height}`
    return `<path d="M 0 ${height} ${curve} V ${SIZE} H 0 Z" fill="hsl(${hue + 30 * at}, 45%, ${45 - at * 10}%)"/>`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
    <linearGradient id="sky" x1="0" x2="0" y1="0" y2="1">
      <stop offset="0" stop-color="hsl(${hue + 200}, 70%, 30%)"/><stop offset="0.7" stop-color="hsl(${hue}, 90%, 70%)"/>
    </linearGradient>
    <rect width="100%" height="100%" fill="url(#sky)"/>
    <circle cx="${200 + chance(9, 680)}" cy="${300 + chance(10, 200)}" r="${60 + chance(11, 90)}" fill="#fff6d8"/>
    ${hills.join('')}
  </svg>`
  return sharp(Buffer.from(svg)).jpeg({ quality: 90 }).toBuffer()
}
