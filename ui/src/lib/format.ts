// Numbers and times as people read them. Unknown is a dash, never a zero.

export const DASH = '—'

type Number_ = number | null | undefined

function known(value: Number_): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function scaled(value: number, base: number, units: string[]): string {
  let unit = 0
  let left = Math.abs(value)
  // 999.5 would be shown as 1000.
  while (left >= base - (base === 1000 ? 0.5 : 0) && unit < units.length - 1) {
    left /= base
    unit += 1
  }
  const digits = unit === 0 ? (Number.isInteger(left) ? 0 : left < 10 ? 1 : 0) : left < 10 ? 2 : left < 100 ? 1 : 0
  const sign = value < 0 ? '−' : ''
  const suffix = units[unit]
  return `${sign}${left.toFixed(digits)}${suffix ? ` ${suffix}` : ''}`
}

/** A count: `18.4 k`. */
export function count(value: Number_): string {
  return known(value) ? scaled(value, 1000, ['', 'k', 'M', 'G', 'T']) : DASH
}

/** A size: `21.0 MiB`. */
export function bytes(value: Number_): string {
  return known(value) ? scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']) : DASH
}

/** The exact number, with thin spaces between thousands. */
export function exact(value: Number_): string {
  return known(value) ? value.toLocaleString('en', { maximumFractionDigits: 3 }).replaceAll(',', '\u2009') : 'not known'
}

/** A duration: `0.4 s`, `34 m`, `3 h 10 m`, `2 d 4 h`. */
export function duration(value: Number_): string {
  if (!known(value)) return DASH
  const sign = value < 0 ? '−' : ''
  const seconds = Math.abs(value)
  if (seconds === 0) return '0 s'
  if (seconds < 9.95) return `${sign}${seconds.toFixed(1)} s`
  if (seconds < 59.5) return `${sign}${Math.round(seconds)} s`
  const minutes = Math.floor(Math.round(seconds) / 60)
  if (minutes < 10) {
    const rest = Math.round(seconds) % 60
    return rest ? `${sign}${minutes} m ${rest} s` : `${sign}${minutes} m`
  }
  if (minutes < 60) return `${sign}${minutes} m`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 && hours < 24 ? `${sign}${hours} h ${minutes % 60} m` : `${sign}${hours} h`
  const days = Math.floor(hours / 24)
  return hours % 24 && days < 10 ? `${sign}${days} d ${hours % 24} h` : `${sign}${days} d`
}

/** How long ago, in whole steps so that it does not flicker. */
export function ago(seconds: Number_): string {
  if (!known(seconds)) return 'never'
  return seconds < 1 ? 'now' : `${duration(seconds < 60 ? Math.floor(seconds) : seconds).replace('.0 s', ' s')} ago`
}

/** A moment, in the chosen time zone. */
export function moment(iso: string | null | undefined, utc: boolean): string {
  if (!iso) return DASH
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return DASH
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
    ...(utc ? { timeZone: 'UTC' } : {}),
  }
  // Sweden's order is that of ISO 8601.
  return `${at.toLocaleString('sv-SE', options)}${utc ? ' UTC' : ''}`
}

/** Local time and UTC, for the focus of a time. */
export function both(iso: string | null | undefined): string {
  return iso ? `${moment(iso, false)} local · ${moment(iso, true)}` : 'never'
}

/** Hours and minutes, or with seconds. */
export function timeOfDay(iso: string | number, utc: boolean): string {
  return new Date(iso).toLocaleTimeString('sv-SE', { hour: '2-digit', minute: '2-digit', second: '2-digit', ...(utc ? { timeZone: 'UTC' } : {}) })
}

// Control characters, and marks that change the direction of what follows.
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Untrusted text with everything invisible made visible. */
export function plain(text: string | null | undefined): string {
  return (text ?? '').replace(INVISIBLE, (mark) => {
    const code = mark.charCodeAt(0)
    return code < 32 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
  })
}

/** The same, but lines stay lines. */
export function plainLines(text: string | null | undefined): string {
  return (text ?? '').split('\n').map((line) => plain(line.replaceAll('\t', '    ').replace(/\r$/, ''))).join('\n')
}

/** `one topic`, `3 topics`. */
export function plural(number: Number_, one: string, many = `${one}s`): string {
  return number === 1 ? `1 ${one}` : `${known(number) ? exact(number) : DASH} ${many}`
}
