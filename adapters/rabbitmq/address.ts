import { invalidOption } from '../../lib/options.ts'

/** One node of a cluster: where it is, and who we are there. */
export interface Address {
  readonly protocol: 'amqp' | 'amqps'
  readonly hostname: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly vhost: string
}

const PORTS = { amqp: 5672, amqps: 5671 } as const
const EXPECTED = 'amqp://user:password@host:port/vhost, or amqps://'

/** Reads a URL; what is wrong with it is said without the URL, which has a password in it. */
export function parseAddress(text: unknown, path: string): Address {
  const url = typeof text === 'string' ? parse(text) : undefined
  if (url === undefined) throw invalidOption(path, typeof text === 'string' ? 'what is no URL' : text, EXPECTED)
  const protocol = url.protocol.slice(0, -1)
  if (protocol !== 'amqp' && protocol !== 'amqps') throw invalidOption(path, `${protocol}:`, EXPECTED)
  if (url.hostname === '') throw invalidOption(path, 'a URL without a host', EXPECTED)
  if (url.search !== '' || url.hash !== '')
    throw invalidOption(path, 'a URL with a query', `${EXPECTED}, options apart`)
  const segments = url.pathname.slice(1)
  if (segments.includes('/'))
    throw invalidOption(path, 'a path with more than one part', `${EXPECTED}; / in a vhost is %2F`)
  return {
    protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? PORTS[protocol] : Number(url.port),
    username: decode(url.username, path) || 'guest',
    password: decode(url.password, path) || (url.username === '' ? 'guest' : ''),
    vhost: decode(segments, path) || '/',
  }
}

/** The address as it may be shown: without user and password. */
export function linkName({ protocol, hostname, port, vhost }: Address): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname
  return `${protocol}://${host}:${port}${vhost === '/' ? '' : `/${encodeURIComponent(vhost)}`}`
}

const SHORTEST_SECRET = 4

/** A text of somebody else's making, such as a driver's error, without the passwords that may stand in it. */
export function withoutSecrets(text: string, addresses: readonly Address[]): string {
  const secrets = addresses.flatMap(({ password }) => [password, encodeURIComponent(password)])
  return secrets
    .filter((secret) => secret.length >= SHORTEST_SECRET && secret !== 'guest')
    .reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), text)
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function decode(text: string, path: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidOption(path, 'a URL with a % that escapes nothing', `${EXPECTED}; % itself is %25`)
  }
}
