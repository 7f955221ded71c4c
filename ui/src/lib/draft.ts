// A change that is not stored yet, as its tab keeps it: without secrets, and with what it began from. One that is taken up again
// later is set beside what is stored by then, so that it does not overwrite what others have changed meanwhile.
import { masked } from './secrets'
import type { Configuration } from './spelling'

/** What a link that is made begins as. */
export const INITIALS = ['RUNNING', 'PAUSED', 'STOPPED'] as const
export type Initial = (typeof INITIALS)[number]

/** What a file says of that; nothing where it says nothing that is known. */
export function initialOf(text: string | null | undefined): Initial | null {
  return INITIALS.find((each) => each === text?.toUpperCase()) ?? null
}

export interface Draft {
  name: string
  config: Configuration
  /** What the change began from; nothing for a link that is not there yet. */
  base: Configuration | null
  /** Its version; nothing where that could not be read. */
  version: string | null
  /** What it is to begin as; nothing for a link that is there. */
  initial: Initial | null
}

interface Kept extends Draft {
  /** Keys whose values were left out: of what was begun from, and of what is to be. */
  hidden: { base: string[]; config: string[] }
}

function split(config: Configuration, isSecret: (key: string) => boolean): { open: Configuration; hidden: string[] } {
  const isHidden = (key: string, value: string) => masked(value, isSecret(key)) !== value
  const entries = Object.entries(config)
  return { open: Object.fromEntries(entries.filter(([key, value]) => !isHidden(key, value))), hidden: entries.filter(([key, value]) => isHidden(key, value)).map(([key]) => key) }
}

/** A draft as it is kept. */
export function kept(draft: Draft, isSecret: (key: string) => boolean): string {
  const [config, base] = [split(draft.config, isSecret), draft.base && split(draft.base, isSecret)]
  const whole: Kept = { ...draft, config: config.open, base: base && base.open, hidden: { base: base?.hidden ?? [], config: config.hidden } }
  return JSON.stringify(whole)
}

/**
 * The draft that was kept, beside what is stored now, which has what was left out of it. Nothing where there is none, or where one
 * of a link that there is does not say what it began from.
 */
export function taken(text: string | null, stored: Configuration | null): Draft | null {
  if (text === null) return null
  const { name, config, base, version, initial, hidden } = JSON.parse(text) as Partial<Kept>
  if (name === undefined || config === undefined || hidden === undefined || (stored !== null && !base)) return null
  const whole = (open: Configuration, keys: string[]) => ({ ...open, ...Object.fromEntries(keys.filter((key) => stored && key in stored).map((key) => [key, stored![key]!])) })
  return { name, config: whole(config, hidden.config), base: stored && base ? whole(base, hidden.base) : null, version: version ?? null, initial: initialOf(initial) }
}

/** Where the draft of a change is kept: of a link that there is, of a clone of one, or of a new one. */
export function keyOf(name: string | null, from: string | null): string {
  if (name !== null) return `tributary.draft.${name}`
  return from === null ? 'tributary.draft.' : `tributary.draft-of-clone.${from}`
}
