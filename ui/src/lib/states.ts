// What states of partitions and topics mean and what to do, as docs/errors has it: the pages themselves, made part of this one.
// To be loaded when it is asked for: nothing of the first load needs it.

export interface StateHelp {
  name: string
  /** What it is a state of. */
  of: string
  what: string
  why: string
  remedy: string
}

/** A page in three parts; null where it is none. */
export function readPage(name: string, text: string): StateHelp | null {
  const part = (title: string) => new RegExp(`\\*\\*${title}\\.\\*\\*\\s+([^]*?)(?=\\n\\*\\*[A-Z]|$)`).exec(text)?.[1]?.replace(/\s+/g, ' ').trim()
  const [what, why, remedy] = [part('What'), part('Why'), part('What to do')]
  if (!what || !why || !remedy) return null
  return { name, of: /^\*([^*]+)\*$/m.exec(text)?.[1] ?? '', what, why, remedy }
}

/** Text and code in turns, as marked by backticks. */
export function pieces(text: string): { text: string; code: boolean }[] {
  return text.split('`').map((each, index) => ({ text: each, code: index % 2 === 1 })).filter((each) => each.text !== '')
}

const files = import.meta.glob<string>('../../../docs/errors/*.md', { query: '?raw', import: 'default', eager: true })

export const STATES: StateHelp[] = Object.entries(files)
  .map(([path, text]) => readPage(path.replace(/^.*\/|\.md$/g, ''), text))
  .filter((page) => page !== null)
  .sort((left, right) => left.name.localeCompare(right.name))
