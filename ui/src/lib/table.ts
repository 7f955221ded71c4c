// What a table needs to know about its columns, and what it makes of them.
import { asMoment, isMoment, numberOf, spoken } from './units'

export interface Column<T> {
  id: string
  title: string
  /** For order, filter and export. */
  value: (row: T) => string | number | null
  width: number
  num?: boolean
  /** Offers its values as a filter. */
  choose?: boolean
  /** Not shown until it is chosen. */
  optional?: boolean
}

/** One for all comparisons: making one costs more than a thousand of them. */
export const collator = new Intl.Collator('en', { numeric: true })

/** Unknown values come last, whichever way. */
export function compare(left: string | number | null, right: string | number | null): number {
  if (left === right) return 0
  if (left === null) return 1
  if (right === null) return -1
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return collator.compare(String(left), String(right))
}

/** The rows that are made, of `total`: those in sight and some around, in steps that are small enough for one frame each. */
export function inSight(top: number, height: number, row: number, total: number): [number, number] {
  const step = 4
  const first = Math.floor(top / row / step - 1) * step
  const last = Math.ceil((top + height) / row / step + 1) * step
  return [Math.max(0, Math.min(first, total - 1)), Math.min(total, last)]
}

export function ordered<T>(rows: T[], column: Column<T> | undefined, descending: boolean): T[] {
  if (!column) return rows
  const keyed = rows.map((row) => ({ row, value: column.value(row) }))
  keyed.sort((left, right) => {
    if (left.value === null || right.value === null) return compare(left.value, right.value)
    return descending ? -compare(left.value, right.value) : compare(left.value, right.value)
  })
  return keyed.map(({ row }) => row)
}

function asked(filter: string): { sign: string; rest: string } {
  const found = /^(<=|>=|<|>|=|≤|≥)\s*(.*)$/.exec(filter.trim())
  const sign = found?.[1] ?? ''
  return { sign: { '≤': '<=', '≥': '>=' }[sign] ?? sign, rest: found?.[2] ?? filter.trim() }
}

/**
 * What the filter of a column asks of a value, as it is shown: `>10k`, `<=5 s` and `=1 MiB` of a number, `>2026-11-27 14:` of a
 * moment, `=text` the whole of it, and anything else a part of it.
 */
export function passes(value: string | number | null, filter: string, utc = false): boolean {
  const { sign, rest } = asked(filter)
  if (sign && rest === '') return true
  const lower = rest.toLowerCase()
  if (typeof value === 'number') {
    const number = sign ? numberOf(rest) : null
    if (number !== null && compared(value, sign, number)) return true
    if (sign && sign !== '=') return false
    // What is shown is rounded: it is asked for as it reads.
    const texts = /[a-z]/.test(lower) ? spoken(value) : [String(value)]
    const wanted = lower.replace(/\s+/g, '')
    return texts.map((text) => text.toLowerCase().replace(/\s+/g, '')).some((text) => (sign ? text === wanted : text.includes(wanted)))
  }
  if (value !== null && isMoment(value)) return ofMoment(value, sign, lower, utc)
  const text = (value ?? '').toLowerCase()
  if (sign === '=') return text === lower
  // What is not known is neither more nor less than a number.
  if (sign && value === null) return false
  return text.includes(filter.trim().toLowerCase())
}

/** A moment, compared with as much of one as was typed: `>2026-11-27` is after that day. */
function ofMoment(value: string, sign: string, rest: string, utc: boolean): boolean {
  const shown = asMoment(value, utc).toLowerCase()
  const wanted = rest.replace(/^(\d{4}-\d\d-\d\d)t/, '$1 ')
  if (sign === '') return shown.includes(wanted)
  const begin = shown.slice(0, wanted.length)
  return compared(begin < wanted ? -1 : begin > wanted ? 1 : 0, sign, 0)
}

/** Why a filter asks nothing that its column could answer; null where it does. */
export function unreadable(values: (string | number | null)[], filter: string): string | null {
  const { sign, rest } = asked(filter)
  if (sign === '' || rest === '') return null
  const value = values.find((each) => each !== null)
  if (typeof value === 'number') return numberOf(rest) === null && sign !== '=' ? `${rest} is no number: 10k, 5 s, 1 h 30 m and 1.5 MiB are` : null
  if (typeof value === 'string' && isMoment(value)) return /^\d{1,4}(-[\d: t.z-]*)?$/i.test(rest) ? null : `${rest} is no date: 2026-11-27 and 2026-11-27 14: are`
  return null
}

function compared(value: number, sign: string, number: number): boolean {
  switch (sign) {
    case '<': return value < number
    case '<=': return value <= number
    case '>': return value > number
    case '>=': return value >= number
    default: return value === number
  }
}

/** `chosen` are values of columns that offer theirs, `filters` what is asked of columns; the text stands in any of them. */
export function matching<T>(rows: T[], columns: Column<T>[], text: string, chosen: Record<string, string>, filters: Record<string, string> = {}, utc = false): T[] {
  const wanted = text.trim().toLowerCase()
  const picked = columns.filter((column) => chosen[column.id])
  const filtered = columns.filter((column) => filters[column.id]?.trim())
  // A time as it is shown; to make one of each costs too much for any other text.
  const timed = /^[\d:\s-]*[:-][\d:\s-]*$/.test(wanted)
  const holds = (value: string | number | null) => String(value ?? '').toLowerCase().includes(wanted) || (timed && typeof value === 'string' && isMoment(value) && asMoment(value, utc).includes(wanted))
  if (wanted === '' && picked.length === 0 && filtered.length === 0) return rows
  return rows.filter(
    (row) =>
      picked.every((column) => String(column.value(row) ?? '') === chosen[column.id]) &&
      filtered.every((column) => passes(column.value(row), filters[column.id]!, utc)) &&
      (wanted === '' || columns.some((column) => holds(column.value(row)))),
  )
}

/** RFC 4180, and nothing that a spreadsheet would take for a formula. */
export function toCsv<T>(rows: T[], columns: Column<T>[]): string {
  const field = (value: string | number | null) => {
    if (value === null) return ''
    if (typeof value === 'number') return String(value)
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = [columns.map((column) => field(column.id)), ...rows.map((row) => columns.map((column) => field(column.value(row))))]
  return lines.map((line) => `${line.join(',')}\r\n`).join('')
}

export function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
