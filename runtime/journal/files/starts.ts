import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createBeside, journalFiles } from './files.ts'
import { isTakenNumber } from '../schema/schema.ts'

/**
 * Which claims had begun when the process died. A place writes (number, claim) over its own record when it takes a job:
 * one pwrite of 16 bytes into the page cache, which outlives any death of the process, and no journal write. Against a
 * power cut it promises nothing: a changed boot id makes the file void, so that nobody is charged.
 */

const HEADER_BYTES = 64
const RECORD_BYTES = 16
const MAGIC = 'MRSTART1'

/** The claims that had begun, or nothing where the file says nothing for this owner epoch and this boot. */
export interface Begun {
  has(number: number, claim: number): boolean
}

/** Voids the file of the owner before and makes room for `records`; returns the path for those who write it. */
export function createStarts(file: string, epoch: number, records: number): string {
  const path = journalFiles(file).starts
  createBeside(file, path)
  const descriptor = openSync(path, 'w', 0o600)
  try {
    // All of it is written: a file with holes would want room on the disk when a job starts.
    const content = Buffer.alloc(HEADER_BYTES + records * RECORD_BYTES)
    content.write(MAGIC, 0, 'latin1')
    content.writeDoubleLE(epoch, 8)
    content.write(bootId(), 16, 'latin1')
    writeFileSync(descriptor, content)
  } finally {
    closeSync(descriptor)
  }
  return path
}

/** Makes room for records that places take which grow, as `createStarts` does for those that are laid out. */
export function growStarts(path: string, firstRecord: number, records: number): void {
  try {
    const descriptor = openSync(path, 'r+')
    try {
      writeSync(
        descriptor,
        Buffer.alloc(records * RECORD_BYTES),
        0,
        undefined,
        HEADER_BYTES + firstRecord * RECORD_BYTES,
      )
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // A start that finds no room either is told there, with its job.
  }
}

export function readStarts(file: string, epoch: number): Begun | undefined {
  let content: Buffer
  try {
    content = readFileSync(journalFiles(file).starts)
  } catch {
    // A journal that was never run has none, and a missing one only means that nobody is charged.
    return undefined
  }
  if (content.length < HEADER_BYTES || content.toString('latin1', 0, 8) !== MAGIC) return undefined
  if (content.readDoubleLE(8) !== epoch || bootId() === '') return undefined
  if (content.toString('latin1', 16, 16 + bootId().length) !== bootId()) return undefined
  const claims = new Map<number, number>()
  for (let at = HEADER_BYTES; at + RECORD_BYTES <= content.length; at += RECORD_BYTES) {
    const [number, claim] = [content.readDoubleLE(at), content.readUInt32LE(at + 8)]
    // An earlier claim of the same job stands where that one ran, until something else begins there.
    if (claim > (claims.get(number) ?? 0)) claims.set(number, claim)
  }
  return { has: (number, claim) => claims.get(number) === claim }
}

/** Where a place writes what it begins. */
export interface StartsSink {
  begin(slot: number, number: number, claim: number): void
}

/** Writes the starts of one place's slots; each slot has a record of its own. */
export class StartsWriter implements StartsSink {
  readonly #descriptor: number
  readonly #firstRecord: number
  readonly #buffer = Buffer.alloc(RECORD_BYTES)

  constructor(path: string, firstRecord: number) {
    this.#descriptor = openSync(path, 'r+')
    this.#firstRecord = firstRecord
  }

  begin(slot: number, number: number, claim: number): void {
    // The next owner finds no row of a delivery: its broker counts instead.
    if (isTakenNumber(number)) return
    this.#buffer.writeDoubleLE(number, 0)
    this.#buffer.writeUInt32LE(claim, 8)
    writeSync(this.#descriptor, this.#buffer, 0, RECORD_BYTES, HEADER_BYTES + (this.#firstRecord + slot) * RECORD_BYTES)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

let boot: string | undefined

/** Changes with every start of the machine; '' where the system does not tell, which then never charges across one. */
function bootId(): string {
  if (boot === undefined) {
    try {
      boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    } catch {
      boot = ''
    }
  }
  return boot
}
