/**
 * A line chart as SVG: time from left to right, ms upwards on a scale of powers of ten. By hand, since the libraries that
 * draw better want a browser.
 */

export interface Series {
  readonly name: string
  readonly colour: string
  /** Seconds and ms. */
  readonly points: readonly (readonly [number, number])[]
}

export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
}

const WIDTH = 720
const HEIGHT = 360
const LEFT = 64
const RIGHT = 16
const TOP = 64
const BOTTOM = 44

export function svgOf({ title, x, y, series }: Plot): string {
  const all = series.flatMap(({ points }) => points)
  const last = Math.max(1, ...all.map(([at]) => at))
  const lowest = Math.floor(Math.log10(Math.max(0.01, Math.min(...all.map(([, ms]) => ms)))))
  const highest = Math.ceil(Math.log10(Math.max(...all.map(([, ms]) => ms), 10 ** (lowest + 1))))
  const across = (at: number) => round(LEFT + (at / last) * (WIDTH - LEFT - RIGHT))
  const up = (ms: number) => {
    const share = (Math.log10(Math.max(ms, 10 ** lowest)) - lowest) / (highest - lowest)
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))
  }
  const powers = Array.from({ length: highest - lowest + 1 }, (_, at) => 10 ** (lowest + at))
  const seconds = Array.from({ length: Math.floor(last / 10) + 1 }, (_, at) => at * 10)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#444">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="15" fill="#111">${title}</text>`,
    ...powers.map((ms) => gridLine(LEFT, WIDTH - RIGHT, up(ms), `${label(ms)}`)),
    ...seconds.map((at) => `<text x="${across(at)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${at}</text>`),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>`,
    `<text transform="rotate(-90)" x="${-(TOP + HEIGHT - BOTTOM) / 2}" y="16" text-anchor="middle">${y}</text>`,
    ...series.map((each, at) => legend(each, LEFT + at * 190)),
    ...series.map(({ colour, points }) => {
      const line = points.map(([at, ms]) => `${across(at)},${up(ms)}`).join(' ')
      return `<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" points="${line}"/>`
    }),
    '</svg>',
    '',
  ].join('\n')
}

function gridLine(from: number, to: number, at: number, text: string): string {
  return (
    `<line x1="${from}" x2="${to}" y1="${at}" y2="${at}" stroke="#ddd"/>` +
    `<text x="${from - 8}" y="${at + 4}" text-anchor="end">${text}</text>`
  )
}

function legend({ name, colour }: Series, x: number): string {
  return `<rect x="${x}" y="36" width="12" height="12" fill="${colour}"/><text x="${x + 18}" y="46">${name}</text>`
}

function label(ms: number): string {
  return ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
