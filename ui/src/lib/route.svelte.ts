// The address is the view: screen, tab, filters, order and open rows are in it.
import { placeOf, stepsBack } from './steps'

const BASE = '/ui'

function read() {
  const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : ''
  const parts = path.split('/').filter((part) => part !== '').map(decode)
  return { parts, query: new URLSearchParams(location.search) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

let current = $state.raw(read())
/** How often somebody went somewhere: what begins anew each time has it as its key. */
let visits = $state(0)
/** Asked before another address is shown; false keeps the present one. */
let guard: ((address: string) => boolean) | null = null

export const route = {
  get parts() {
    return current.parts
  },
  get screen() {
    return current.parts[0] ?? 'overview'
  },
  query(key: string): string {
    return current.query.get(key) ?? ''
  },
  get all() {
    return current.query
  },
  get visits() {
    return visits
  },
}

/** The address of a view; parts may hold anything. */
export function href(parts: (string | number)[], query: Record<string, string | null | undefined> = {}): string {
  const path = `${BASE}/${parts.map((part) => encodeURIComponent(part)).join('/')}`
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `${path}?${text}` : path
}

/** Where the present view stands among those of this tab, so that a step back or forward can be undone. */
let place = 0
/** Its address, while the bar of the browser may already show another. */
let shown = ''

function arrived(): void {
  current = read()
  shown = location.pathname + location.search + location.hash
}

export function go(address: string): void {
  if (guard && !guard(address)) return
  guard = null
  place += 1
  history.pushState({ place }, '', address)
  visits += 1
  arrived()
  scrollTo(0, 0)
}

/** Changes parts of the query in place; empty removes. */
export function setQuery(changes: Record<string, string | null>): void {
  const search = new URLSearchParams(location.search)
  for (const [key, value] of Object.entries(changes)) {
    if (value) search.set(key, value)
    else search.delete(key)
  }
  const text = search.toString()
  history.replaceState({ place }, '', location.pathname + (text ? `?${text}` : ''))
  arrived()
}

export function guardLeaving(ask: ((address: string) => boolean) | null): void {
  guard = ask
}

/** Somebody went back or forward: the address is another one already. */
function left(state: unknown): void {
  const address = location.pathname + location.search + location.hash
  const its = placeOf(state)
  // What was undone comes by here as well.
  if (address === shown) {
    place = its ?? place
    return
  }
  if (guard && !guard(address)) {
    const steps = stepsBack(state, place)
    if (steps === null) history.pushState({ place }, '', shown)
    else history.go(steps)
    return
  }
  guard = null
  // A part of a page that was jumped to is a step that nobody has counted.
  if (its === null) history.replaceState({ place: (place += 1) }, '')
  else place = its
  visits += 1
  arrived()
}

export function startRouting(): void {
  place = placeOf(history.state) ?? place
  history.replaceState({ place }, '')
  arrived()
  addEventListener('popstate', (event) => left(event.state))
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element | null)?.closest('a')
    if (!link || link.target || link.hasAttribute('download')) return
    const address = link.getAttribute('href')
    if (!address?.startsWith(`${BASE}/`)) return
    event.preventDefault()
    go(address)
  })
}
