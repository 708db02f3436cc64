import { createReadStream } from 'node:fs'

export interface OutputLine {
  readonly text: string
  /** With its end. */
  readonly bytes: number
  /** 'torn': the file ends in it. */
  readonly end: 'whole' | 'torn'
}

/** The lines of a file, what a kill has left of the last one too. */
export async function* allLines(path: string): AsyncGenerator<OutputLine> {
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const data = Buffer.concat([rest, chunk])
    let from = 0
    for (let to = data.indexOf(10); to >= 0; to = data.indexOf(10, from)) {
      yield { text: data.toString('utf8', from, to), bytes: to - from + 1, end: 'whole' }
      from = to + 1
    }
    rest = data.subarray(from)
  }
  if (rest.length > 0) yield { text: rest.toString('utf8'), bytes: rest.length, end: 'torn' }
}

export async function* wholeLines(path: string): AsyncGenerator<OutputLine> {
  for await (const line of allLines(path)) if (line.end === 'whole') yield line
}
