// Numbers and times read back from how they are shown.
import { bytes, count, duration, moment } from './format'

/** What each unit is worth: a duration is a number of seconds. Where only the case tells two apart, it does: `m` and `M`. */
const UNITS: Record<string, number> = {
  '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15,
  b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4, pib: 1024 ** 5, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, pb: 1e15,
  ms: 0.001, s: 1, sec: 1, m: 60, min: 60, h: 3600, d: 86_400,
}

const PART = /^([\d.]+)([A-Za-z]*)/

/** `18.4 k`, `1.5 MiB/s`, `3 h 10 m`, `-5`; null where it is none. */
export function numberOf(text: string): number | null {
  let left = text.trim().replace(/^[−-]/, '').replace(/\/s$/, '').replace(/[\s,_]/g, '')
  if (left === '' || (/[eE]/.test(left) && !Number.isNaN(Number(left)))) return left === '' ? null : Number(text)
  const parts: { number: number; unit: number; timed: boolean }[] = []
  while (left !== '') {
    const [whole, digits, name] = PART.exec(left) ?? []
    if (whole === undefined || digits === undefined || name === undefined) return null
    const unit = UNITS[name] ?? UNITS[name.toLowerCase()]
    if (unit === undefined || Number.isNaN(Number(digits))) return null
    parts.push({ number: Number(digits), unit, timed: /^(ms|s|sec|m|min|h|d)$/.test(name) })
    left = left.slice(whole.length)
  }
  // Only durations have several parts.
  if (parts.length > 1 && parts.some((part) => !part.timed)) return null
  const sum = parts.reduce((sum, { number, unit }) => sum + number * unit, 0)
  return /^[−-]/.test(text.trim()) ? -sum : sum
}

/** A number in all ways in which a column may show it. */
export function spoken(value: number): string[] {
  return [count(value), bytes(value), duration(value)]
}

export function isMoment(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)
}

/** Those that were made already: making one costs more than a thousand comparisons. */
const made = new Map<string, string>()

export function asMoment(iso: string, utc: boolean): string {
  const key = `${utc}${iso}`
  let text = made.get(key)
  if (text === undefined) {
    if (made.size > 20_000) made.clear()
    text = moment(iso, utc)
    made.set(key, text)
  }
  return text
}
