// Every request to the worker, and how it is written as curl.
import { noticeServerTime } from './clock.svelte'
import { concealed, looksSecret } from './secrets'
import { session } from './session.svelte'
import type { Explanation, List } from './types'

export const API = '/api/v1'

export class ApiError extends Error {
  constructor(
    /** 0 where no answer came. */
    readonly status: number,
    message: string,
    readonly explanation: Explanation | null = null,
    readonly fields: { name: string; errors: string[] }[] = [],
  ) {
    super(message)
  }

  get isRebalance(): boolean {
    return this.status === 409 && /rebalanc/i.test(this.message)
  }
}

export interface Request_ {
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
}

/** A path with names that may hold anything. */
export function at(strings: TemplateStringsArray, ...names: (string | number)[]): string {
  return strings.reduce((path, text, index) => path + (index ? encodeURIComponent(names[index - 1]!) : '') + text, '')
}

/** Milliseconds that reading may take: a worker that is frozen keeps its connections, and never answers on them. */
const DEADLINE = 10_000
/** The same of what the worker itself reads to its end before it answers; it gives that up after a minute. */
const LONG_DEADLINE = 65_000

/** How long an answer is waited for; nothing where it may take as long as the clusters need, or changes something. */
export function deadline({ method, path }: Request_): number | null {
  if (method !== 'GET') return null
  return /^\/connectors\/[^/?]+\/offsets/.test(path) ? LONG_DEADLINE : DEADLINE
}

export async function send<T>(request: Request_, signal?: AbortSignal): Promise<T> {
  const limit = deadline(request)
  const own = new AbortController()
  const timer = limit === null ? undefined : setTimeout(() => own.abort(), limit)
  const stop = () => own.abort(signal?.reason)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await answered<T>(request, own.signal)
  } catch (cause) {
    // Who has asked does not want it any more.
    if (signal?.aborted || cause instanceof ApiError) throw cause
    throw new ApiError(0, own.signal.aborted ? `The worker does not answer within ${(limit ?? 0) / 1000} s.` : 'The worker does not answer.')
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

async function answered<T>(request: Request_, signal: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', ...request.headers }
  if (request.body !== undefined) headers['Content-Type'] = 'application/json'
  if (session.authorization) headers.Authorization = session.authorization
  const answer = await fetch(request.path, {
    method: request.method,
    headers,
    credentials: 'omit',
    cache: 'no-store',
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    signal,
  })
  noticeServerTime(answer.headers.get('Date'))
  if (answer.status === 401) session.needsCredentials = true
  const text = await answer.text()
  let parsed: unknown = null
  if (text !== '') {
    try {
      parsed = JSON.parse(text)
    } catch {
      throw new ApiError(answer.status, `The answer is not JSON: ${text.slice(0, 200)}`)
    }
  }
  if (!answer.ok) {
    const error = (parsed ?? {}) as { message?: string; explanation?: Explanation; fields?: ApiError['fields'] }
    throw new ApiError(answer.status, error.message ?? `HTTP ${answer.status}`, error.explanation ?? null, error.fields ?? [])
  }
  return parsed as T
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return send<T>({ method: 'GET', path }, signal)
}

/** All pages of a list. */
export async function getAll<T>(path: string, signal?: AbortSignal): Promise<List<T>> {
  const join = path.includes('?') ? '&' : '?'
  const first = await get<List<T>>(`${path}${join}limit=1000`, signal)
  let { next_cursor: cursor } = first
  while (cursor) {
    const next = await get<List<T>>(`${path}${join}limit=1000&cursor=${encodeURIComponent(cursor)}`, signal)
    first.items.push(...next.items)
    cursor = next.next_cursor
  }
  return first
}

/** One argument of a POSIX shell. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A command of the worker's own program. A name that begins with a dash stands behind all options and is none of them. */
export function command(verb: string, names: string[], options = ''): string {
  const [given, quoted] = [options ? ` ${options}` : '', names.map(quote).join(' ')]
  return names.some((name) => name.startsWith('-')) ? `tributary ${verb}${given} -- ${quoted}` : `tributary ${verb} ${quoted}${given}`
}

/** How curl says who asks, in the way in which this tab does. */
export function credentials(): string[] {
  if (!session.signedIn) return []
  return session.authorization?.startsWith('Bearer ') ? ['-H', '"Authorization: Bearer $TRIBUTARY_TOKEN"'] : ['-u', '"$TRIBUTARY_USER:$TRIBUTARY_PASSWORD"']
}

/** The same request in a terminal. Literal secrets read `[hidden]`. */
export function asCurl(request: Request_, isSecret: (key: string) => boolean = looksSecret): string {
  const words = ['curl']
  if (request.method !== 'GET') words.push('-X', request.method)
  for (const [name, value] of Object.entries(request.headers ?? {})) words.push('-H', quote(`${name}: ${value}`))
  words.push(...credentials())
  if (request.body !== undefined) words.push('-H', quote('Content-Type: application/json'), '-d', quote(JSON.stringify(concealed(request.body, isSecret))))
  words.push(quote(location.origin + request.path))
  return words.join(' ')
}
