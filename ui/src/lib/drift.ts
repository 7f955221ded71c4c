// What a preview of a link that there is says about its copies: where they are not what the link would make of them.
import type { Preview, PreviewRow } from './types'

export type Kind = 'not comparable' | 'blocked' | 'topic' | 'partitions' | 'setting' | 'access right' | 'note'

export interface Deviation {
  link: string
  kind: Kind
  /** The topic at the destination, or what else it is about. */
  object: string
  /** The topic at the source. */
  topic: string | null
  property: string | null
  expected: string | null
  actual: string | null
  why: string
  remedy: string | null
}

/** Access rights as a preview has them. */
interface Rights {
  unknown?: string
  create?: string[]
  delete?: string[]
  keep?: string[]
  notes?: { error: boolean; right: string; reason: string }[]
}

const ORDER: Kind[] = ['blocked', 'not comparable', 'topic', 'partitions', 'access right', 'setting', 'note']

export function rank(deviation: Deviation): number {
  return ORDER.indexOf(deviation.kind)
}

/** Deviations of one link. */
export function deviations(link: string, preview: Preview): Deviation[] {
  return [...preview.rows.flatMap((row) => ofTopic(link, row)), ...ofRights(link, preview.access_rights as Rights | null)]
}

/** A link that could not be compared at all. */
export function notComparable(link: string, why: string): Deviation {
  return { link, kind: 'not comparable', object: link, topic: null, property: null, expected: null, actual: null, why, remedy: null }
}

function ofTopic(link: string, row: PreviewRow): Deviation[] {
  const base = { link, object: row.destination_topic ?? row.topic, topic: row.topic, property: null, expected: null, actual: null, remedy: null }
  if (row.decision === 'unreadable') return [{ ...base, kind: 'not comparable', why: 'the source does not let its topic be read' }]
  if (row.decision !== 'match' && row.action !== 'error') return []
  const found: Deviation[] = []
  if (row.action === 'create') {
    found.push({ ...base, kind: 'topic', expected: partitions(row.partitions.planned ?? row.partitions.source), actual: 'not there', why: 'it was not created yet, or was deleted at the destination' })
  } else {
    const { planned, destination } = row.partitions
    if (row.action === 'grow' && planned !== destination) {
      found.push({ ...base, kind: 'partitions', property: 'partitions', expected: String(planned ?? 'not known'), actual: String(destination ?? 'not known'), why: 'the source has more' })
    }
    for (const setting of row.settings) {
      found.push({ ...base, kind: 'setting', property: setting.key, expected: setting.planned ?? 'not set', actual: setting.actual ?? 'not set', why: setting.why })
    }
  }
  for (const warning of row.warnings) {
    found.push({ ...base, kind: warning.error ? 'blocked' : 'note', property: warning.id, why: warning.text, remedy: warning.fix || null })
  }
  return found
}

function partitions(number: number | null): string {
  return number === null ? 'a topic' : number === 1 ? '1 partition' : `${number} partitions`
}

function ofRights(link: string, rights: Rights | null): Deviation[] {
  if (!rights) return []
  const row = (right: string, kind: Kind, expected: string | null, actual: string | null, why: string): Deviation => ({
    link, kind, object: right, topic: null, property: null, expected, actual, why, remedy: null,
  })
  if (rights.unknown) return [row('access rights', 'not comparable', null, null, rights.unknown)]
  return [
    ...(rights.create ?? []).map((right) => row(right, 'access right', 'there', 'not there', 'it is at the source')),
    ...(rights.delete ?? []).map((right) => row(right, 'access right', 'not there', 'there', 'it is no longer at the source')),
    ...(rights.keep ?? []).map((right) => row(right, 'access right', 'not there', 'there', 'it is not at the source, and this link does not take it away')),
    ...(rights.notes ?? []).map((note) => row(note.right, note.error ? 'blocked' : 'note', null, null, note.reason)),
  ]
}
