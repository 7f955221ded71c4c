// Compares links with their copies, one after the other. What was found stays while the page is open, with its age.
import { ApiError, send } from './api'
import { clock } from './clock.svelte'
import { deviations, notComparable, type Deviation } from './drift'
import type { Explanation, Preview } from './types'

export interface Compared {
  at: number
  found: Deviation[]
  /** Topics that were compared. */
  topics: number
  explanation: Explanation | null
}

let results = $state.raw<ReadonlyMap<string, Compared>>(new Map())
let waiting = $state.raw<string[]>([])
let current = $state<string | null>(null)
let running: AbortController | null = null

export const comparison = {
  get results() {
    return results
  },
  /** The link that is being compared. */
  get current() {
    return current
  },
  get left() {
    return waiting.length + (current === null ? 0 : 1)
  },
}

async function one(link: string, signal: AbortSignal): Promise<Compared> {
  try {
    const preview = await send<Preview>({ method: 'POST', path: '/api/v1/preview', body: { link } }, signal)
    return { at: clock.now, found: deviations(link, preview), topics: preview.rows.filter((row) => row.decision === 'match').length, explanation: null }
  } catch (cause) {
    if (signal.aborted) throw cause
    const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause))
    return { at: clock.now, found: [notComparable(link, error.message)], topics: 0, explanation: error.explanation }
  }
}

/** Compares these links; one that was begun before is ended. */
export async function compare(links: string[]): Promise<void> {
  stopComparing()
  const own = new AbortController()
  running = own
  waiting = links
  while (waiting.length && !own.signal.aborted) {
    const [link, ...others] = waiting as [string, ...string[]]
    current = link
    waiting = others
    try {
      const found = await one(link, own.signal)
      results = new Map(results).set(link, found)
    } catch {
      return
    }
  }
  if (running === own) current = null
}

/** Ends what runs; links that were compared stay. */
export function stopComparing(): void {
  running?.abort()
  running = null
  waiting = []
  current = null
}
