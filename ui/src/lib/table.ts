// What a table needs to know about its columns, and what it makes of them.

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

/** What the filter of a column asks of a value: `>5`, `<=5` and `=5` of a number, `=text` the whole of it, and anything else a part of it. */
export function passes(value: string | number | null, filter: string): boolean {
  const wanted = filter.trim().toLowerCase()
  const found = /^(<=|>=|<|>|=)\s*(.*)$/.exec(wanted)
  const [sign, rest] = [found?.[1] ?? '', found?.[2] ?? wanted]
  if (sign && rest === '') return true
  const number = Number(rest)
  if (typeof value === 'number' && sign && !Number.isNaN(number)) return compared(value, sign, number)
  const text = String(value ?? '').toLowerCase()
  if (sign === '=') return text === rest
  // What is not known is neither more nor less than a number.
  if (sign && value === null) return false
  return text.includes(wanted)
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
export function matching<T>(rows: T[], columns: Column<T>[], text: string, chosen: Record<string, string>, filters: Record<string, string> = {}): T[] {
  const wanted = text.trim().toLowerCase()
  const picked = columns.filter((column) => chosen[column.id])
  const filtered = columns.filter((column) => filters[column.id]?.trim())
  if (wanted === '' && picked.length === 0 && filtered.length === 0) return rows
  return rows.filter(
    (row) =>
      picked.every((column) => String(column.value(row) ?? '') === chosen[column.id]) &&
      filtered.every((column) => passes(column.value(row), filters[column.id]!)) &&
      (wanted === '' || columns.some((column) => String(column.value(row) ?? '').toLowerCase().includes(wanted))),
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
