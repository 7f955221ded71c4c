// Time as the worker counts it. Ages go on growing here, whether or not anything arrives.

let now = $state(Date.now())
let skew = 0
let tickers = 0

/** Older evidence than this says nothing any more. */
export const EVIDENCE_LIMIT = 20

/** What the worker's clock says, from the Date header of an answer; a value inside an answer may be old. */
export function noticeServerTime(header: string | null): void {
  const at = header ? Date.parse(header) : Number.NaN
  if (Number.isNaN(at)) return
  // The header has whole seconds: half of one is the best guess.
  const seen = at + 500 - Date.now()
  if (Math.abs(seen - skew) > 1500) skew = seen
}

export const clock = {
  get now() {
    return now + skew
  },
  age(iso: string | null | undefined): number | null {
    if (!iso) return null
    const at = Date.parse(iso)
    return Number.isNaN(at) ? null : Math.max(0, (now + skew - at) / 1000)
  },
  stale(iso: string | null | undefined, limit = EVIDENCE_LIMIT): boolean {
    const age = clock.age(iso)
    return age === null || age > limit
  },
}

export function startClock(): void {
  if (tickers++ === 0) setInterval(() => (now = Date.now()), 1000)
}
