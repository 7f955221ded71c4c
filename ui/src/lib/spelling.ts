// One configuration in its spellings, and back again. No key is lost on the way.
import { credentials, quote } from './api'
import { plain } from './format'
import { concealed, HIDDEN, masked } from './secrets'

export type Configuration = Record<string, string>

export const SPELLINGS = ['json', 'properties', 'curl', 'cli', 'terraform', 'helm'] as const
export type Spelling = (typeof SPELLINGS)[number]

export const SPELLING_NAMES: Record<Spelling, string> = {
  json: 'JSON', properties: 'Properties', curl: 'curl', cli: 'CLI', terraform: 'Terraform', helm: 'Helm values',
}

/** A value as it stands in a table of changes; null is that of a key that is not set. */
export function told(value: string | null, isSecret: boolean): string {
  if (value === null) return 'not set'
  return value === '' ? 'empty' : plain(masked(value, isSecret))
}

function escapeKey(key: string): string {
  return escapeValue(key).replace(/[=: #!]/g, (mark) => `\\${mark}`)
}

function escapeValue(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll('\f', '\\f')
    .replace(/^ /, '\\ ')
}

export function toProperties(config: Configuration): string {
  return Object.keys(config).sort().map((key) => `${escapeKey(key)}=${escapeValue(config[key]!)}\n`).join('')
}

/** Java properties. */
export function fromProperties(text: string): Configuration {
  const config: Configuration = {}
  const lines = text.split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index += 1) {
    let line = lines[index]!.trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (/(^|[^\\])(\\\\)*\\$/.test(line) && index + 1 < lines.length) {
      index += 1
      line = line.slice(0, -1) + lines[index]!.trimStart()
    }
    let end = 0
    while (end < line.length && !/[=:\s]/.test(line[end]!)) end += line[end] === '\\' ? 2 : 1
    let rest = line.slice(end).trimStart()
    if (/^[=:]/.test(rest)) rest = rest.slice(1).trimStart()
    config[unescape_(line.slice(0, end))] = unescape_(rest)
  }
  return config
}

function unescape_(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, mark: string) => {
    if (mark.length === 5) return String.fromCharCode(Number.parseInt(mark.slice(1), 16))
    return { n: '\n', r: '\r', t: '\t', f: '\f' }[mark] ?? mark
  })
}

export interface Imported {
  name: string | null
  config: Configuration
  initialState: string | null
}

/** JSON (flat, or with `name` and `config`) or properties; throws with what is wrong. */
export function read(text: string): Imported {
  if (!text.trimStart().startsWith('{')) {
    const config = fromProperties(text)
    return { name: config.name ?? null, config, initialState: null }
  }
  const parsed = JSON.parse(text) as Record<string, unknown>
  const nested = typeof parsed.config === 'object' && parsed.config !== null
  const source = (nested ? parsed.config : parsed) as Record<string, unknown>
  const config: Configuration = {}
  for (const [key, value] of Object.entries(source)) {
    if (value === null || value === undefined) continue
    if (typeof value === 'object') throw new Error(`The value of ${key} is not a text, a number or a truth value.`)
    config[key] = String(value)
  }
  const name = nested && typeof parsed.name === 'string' ? parsed.name : (config.name ?? null)
  return { name, config, initialState: nested && typeof parsed.initial_state === 'string' ? parsed.initial_state : null }
}

function terraformText(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{')
}

function identifier(name: string): string {
  const word = name.replace(/[^\w-]/g, '_')
  return /^[A-Za-z_]/.test(word) ? word : `_${word}`
}

/** The configuration as it is given away: literal secrets read `[hidden]`. */
export function spell(spelling: Spelling, name: string, given: Configuration, origin: string): string {
  const config = concealed(given)
  const keys = Object.keys(config).sort()
  switch (spelling) {
    case 'json':
      return `${JSON.stringify({ name, config: Object.fromEntries(keys.map((key) => [key, config[key]])) }, null, 2)}\n`
    case 'properties':
      return toProperties({ ...config, name })
    case 'curl': {
      const body = JSON.stringify(config, keys)
      const path = `${origin}/connectors/${encodeURIComponent(name)}/config`
      return `${['curl', ...credentials()].join(' ')} -X PUT -H 'Content-Type: application/json' \\\n  -d ${quote(body)} \\\n  ${quote(path)}\n`
    }
    case 'cli':
      return `tributary apply --url ${quote(origin)} -n${name.startsWith('-') ? '=' : ' '}${quote(name)} -f - <<'EOF'\n${toProperties({ ...config, name })}EOF\n`
    case 'terraform': {
      const lines = (list: string[], value: (key: string) => string) =>
        list.map((key) => `    ${terraformText(key)} = ${value(key)}\n`).join('')
      const secret = keys.filter((key) => config[key] === HIDDEN)
      const open = keys.filter((key) => config[key] !== HIDDEN && key !== 'name')
      const sensitive = secret.length ? `  config_sensitive = {\n${lines(secret, () => '"[hidden]"')}  }\n` : ''
      return (
        `resource "kafka-connect_connector" ${JSON.stringify(identifier(name))} {\n  name = ${terraformText(name)}\n` +
        `  config = {\n    "name" = ${terraformText(name)}\n${lines(open, (key) => terraformText(config[key]!))}  }\n${sensitive}}\n`
      )
    }
    case 'helm':
      return (
        `links:\n  - name: ${JSON.stringify(name)}\n    config:\n` +
        keys.filter((key) => key !== 'name').map((key) => `      ${JSON.stringify(key)}: ${JSON.stringify(config[key])}\n`).join('')
      )
  }
}

export interface Change {
  key: string
  before: string | null
  after: string | null
}

/** What differs, key by key. */
export function difference(before: Configuration, after: Configuration): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => ({ key, before: before[key] ?? null, after: after[key] ?? null }))
}

export interface Meeting {
  key: string
  /** As it was when the change was begun. */
  base: string | null
  /** As somebody else has stored it meanwhile. */
  theirs: string | null
  mine: string | null
  /** Whose change it is; `both` made another value each. */
  whose: 'mine' | 'theirs' | 'same' | 'both'
}

/** Two changes of one configuration, key by key; keys that nobody has changed are left out. */
export function meeting(base: Configuration, theirs: Configuration, mine: Configuration): Meeting[] {
  const keys = [...new Set([...Object.keys(base), ...Object.keys(theirs), ...Object.keys(mine)])].sort()
  return keys
    .map((key): Meeting => {
      const [was, their, own] = [base[key] ?? null, theirs[key] ?? null, mine[key] ?? null]
      return { key, base: was, theirs: their, mine: own, whose: their === own ? 'same' : was === their ? 'mine' : was === own ? 'theirs' : 'both' }
    })
    .filter((row) => row.base !== row.theirs || row.base !== row.mine)
}

/** Their configuration with what I have changed; where both have changed a key, mine where it is among `kept`. */
export function joined(rows: Meeting[], theirs: Configuration, kept: Set<string>): Configuration {
  const whole = { ...theirs }
  for (const { key, mine, whose } of rows) {
    if (whose !== 'mine' && !(whose === 'both' && kept.has(key))) continue
    if (mine === null) delete whole[key]
    else whole[key] = mine
  }
  return whole
}

/** A configuration as it was before these changes, the newest first. What was hidden or cut off is taken for what it is now. */
export function undone(config: Configuration, changes: Change[][]): Configuration {
  const whole = { ...config }
  for (const { key, before } of changes.flat()) {
    if (before === null) delete whole[key]
    else if (!before.includes(HIDDEN) && !before.endsWith('…')) whole[key] = before
  }
  return whole
}
