// What of a configuration is not to be shown, by the same rules as the worker's: secrets by their keys, and names and passwords in
// addresses whatever their key is. What is hidden is put back where the text comes back.

const SECRET = /(password|secret|jaas\.config|user\.info|passphrase|token$|license$)/i
/** What the last word of a key that holds a secret is, or ends with. */
const LAST = /^(pwd|key)$|(passwd|credentials|apikey|accesskey|accesskeyid|secretkey|privatekey)$/i

export const HIDDEN = '[hidden]'

/** Whether a key holds something that is not to be shown; the worker says so by the key's type where it is known. */
export function looksSecret(key: string): boolean {
  return (SECRET.test(key) || LAST.test(key.split(/[.\-_]/).at(-1)!)) && !/(\.location|\.type|token\.endpoint\.url)$/.test(key)
}

/** Whether a value is made of variables alone, as the worker reads them: `${env:X}`. What stands beside one may be a secret, and `${topic}` is none. */
export function isReference(value: string): boolean {
  return /^(\$\{[^}]*:[^}]*\})+$/.test(value.trim())
}

/** Whether a value is a login module with variables for all of its secrets. What cannot be read for certain is none. */
function isOpenLogin(value: string): boolean {
  const entry = /^\s*[\w.$]*LoginModule\s+\w+((?:\s+[\w.]+\s*=\s*(?:"[^"\\]*"|[^\s";]+))*)\s*;?\s*$/.exec(value)
  if (!entry) return false
  const options = [...entry[1]!.matchAll(/([\w.]+)\s*=\s*(?:"([^"]*)"|([^\s";]+))/g)]
  const secrets = options.filter(([, name]) => looksSecret(name!))
  // Which options of other modules are secret is not known.
  const isKnown = /(Krb5|IAM)LoginModule/.test(value) || options.length === 0 || secrets.length > 0
  return isKnown && secrets.every(([, , quoted, bare]) => isReference(quoted ?? bare ?? ''))
}

/** A text without names and passwords in addresses. A password may hold any character: the last @ before a blank or the next address counts. */
function withoutUserInfo(text: string): string {
  let [shown, rest] = ['', text]
  for (let begin = rest.indexOf('://'); begin >= 0; begin = rest.indexOf('://')) {
    const after = rest.slice(begin + 3)
    const ends = [after.indexOf('://'), after.search(/\s/)].filter((end) => end >= 0)
    const mark = after.slice(0, Math.min(after.length, ...ends)).lastIndexOf('@')
    shown += rest.slice(0, begin + 3) + (mark < 0 ? '' : HIDDEN)
    rest = after.slice(Math.max(0, mark))
  }
  return shown + rest
}

/** A value as it may be seen. A reference alone is no secret. */
export function masked(value: string, isSecret: boolean): string {
  return isSecret && value && !isReference(value) && !isOpenLogin(value) ? HIDDEN : withoutUserInfo(value)
}

type IsSecret = (key: string) => boolean

/** A body, or an answer, as it may be seen. What `validate` answers has the key beside the value. */
export function concealed<T>(body: T, isSecret: IsSecret = looksSecret): T {
  const shown = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return masked(value, isSecret(key))
    if (Array.isArray(value)) return value.map((each) => shown(each, key))
    if (typeof value !== 'object' || value === null) return value
    const name = 'name' in value && typeof value.name === 'string' ? value.name : ''
    return Object.fromEntries(Object.entries(value).map(([inner, each]) => [inner, shown(each, inner === 'value' ? name : inner)]))
  }
  return shown(body, '') as T
}

/** What was typed, with what was hidden of `before` put back: a value that reads as it was shown stands for what it was. */
export function unmasked<T extends Record<string, unknown>>(typed: T, before: Record<string, string>, isSecret: IsSecret = looksSecret): T {
  const whole = Object.entries(typed).map(([key, value]) => {
    const was = before[key]
    const stands = was !== undefined && typeof value === 'string' && value.includes(HIDDEN) && value === masked(was, isSecret(key))
    return [key, stands ? was : value]
  })
  return Object.fromEntries(whole) as T
}
