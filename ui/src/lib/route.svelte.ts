// The address is the view: screen, tab, filters, order and open rows are in it.

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
/** Asked before another screen is shown; false keeps the present one. */
let guard: (() => boolean) | null = null

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
}

/** The address of a view; parts may hold anything. */
export function href(parts: (string | number)[], query: Record<string, string | null | undefined> = {}): string {
  const path = `${BASE}/${parts.map((part) => encodeURIComponent(part)).join('/')}`
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `${path}?${text}` : path
}

export function go(address: string): void {
  if (guard && !guard()) return
  guard = null
  history.pushState(null, '', address)
  current = read()
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
  history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''))
  current = read()
}

export function guardLeaving(ask: (() => boolean) | null): void {
  guard = ask
}

export function startRouting(): void {
  addEventListener('popstate', () => {
    current = read()
  })
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
