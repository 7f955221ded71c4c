// How the fields of `validate` are laid out: steps, sides, and what is open at once. Nothing here adds a field.
import type { ConfigEntry, PreviewRow } from './types'

export const STEPS = ['clusters', 'topics', 'naming', 'sync', 'delivery', 'review'] as const
export type Step = (typeof STEPS)[number]

export const STEP_NAMES: Record<Step, string> = {
  clusters: 'Clusters', topics: 'Topics', naming: 'Naming', sync: 'Settings and groups', delivery: 'Delivery', review: 'Review',
}

const STEP_OF: Record<string, Step> = {
  'Source Cluster': 'clusters', 'Destination Cluster': 'clusters', Connections: 'clusters', Security: 'clusters',
  Topics: 'topics', Source: 'topics',
  Naming: 'naming', Destination: 'naming',
  'Topic Settings': 'sync', 'Consumer Groups': 'sync', 'Access Control': 'sync', Metadata: 'sync', Positions: 'sync',
}

/** Shown above the steps, not in them. */
const ELSEWHERE = new Set(['name', 'connector.class'])

export function stepOf(entry: ConfigEntry): Step {
  return STEP_OF[entry.definition.group ?? ''] ?? 'delivery'
}

export type Side = 'source' | 'destination'

/** What the cluster of a side is called, in every vocabulary. */
export const ALIAS: Record<Side, string> = { source: 'source.cluster.alias', destination: 'target.cluster.alias' }

const FAMILIES: [string, Side][] = [
  ['src.kafka.', 'source'], ['src.consumer.', 'source'], ['source.cluster.', 'source'], ['source.consumer.', 'source'],
  ['dest.kafka.', 'destination'], ['target.cluster.', 'destination'],
]

/** Words of MirrorMaker 2 that a class of another product takes too. */
const MIRROR = new Set(['topics', 'topics.exclude'])

function family(key: string): [string, Side] | undefined {
  return FAMILIES.find(([prefix]) => key.startsWith(prefix))
}

export function sideOf(key: string): Side | null {
  return family(key)?.[1] ?? null
}

/** The prefix that a configuration uses for the connection of a side. */
export function prefixOf(side: Side, connectorClass: string, config: Record<string, string>): string {
  const own = FAMILIES.filter(([prefix, of]) => of === side && prefix !== 'src.consumer.' && prefix !== 'source.consumer.')
  const used = own.find(([prefix]) => config[`${prefix}bootstrap.servers`] !== undefined)
  if (used) return used[0]
  const mirror = /mirror/i.test(connectorClass)
  return side === 'source' ? (mirror ? 'source.cluster.' : 'src.kafka.') : mirror ? 'target.cluster.' : 'dest.kafka.'
}

/** What says where a cluster is and how it is reached. */
const CONNECTION = /^(bootstrap\.servers$|security\.|ssl\.|sasl\.)/

/** The connection of a side as a configuration has it, without its prefix. What is hidden is not known. */
export function connectionOf(side: Side, config: Record<string, string>): Record<string, string> {
  const prefix = prefixOf(side, config['connector.class'] ?? '', config)
  const keys = Object.entries(config).filter(([key, value]) => key.startsWith(prefix) && CONNECTION.test(key.slice(prefix.length)) && !value.startsWith('[hidden]'))
  return Object.fromEntries(keys.map(([key, value]) => [key.slice(prefix.length), value]))
}

export interface Laid {
  /** Seen at once. */
  open: ConfigEntry[]
  /** Under "Advanced", by group. */
  advanced: [string, ConfigEntry[]][]
}

function byOrder(left: ConfigEntry, right: ConfigEntry): number {
  return Number(right.definition.required) - Number(left.definition.required) || left.definition.order - right.definition.order
}

/** The fields of a step. `pinned` are set, or were asked for. */
export function lay(entries: ConfigEntry[], step: Step, connectorClass: string, config: Record<string, string>, pinned: Set<string>): Laid {
  const prefixes = [prefixOf('source', connectorClass, config), prefixOf('destination', connectorClass, config)]
  const mirror = /mirror/i.test(connectorClass)
  const open: ConfigEntry[] = []
  const advanced = new Map<string, ConfigEntry[]>()
  for (const entry of entries) {
    const { name, importance, required, group } = entry.definition
    if (!entry.value.visible || ELSEWHERE.has(name) || stepOf(entry) !== step) continue
    const foreign = (family(name) && !Object.values(ALIAS).includes(name) && !prefixes.includes(family(name)![0])) || (!mirror && MIRROR.has(name))
    if (name in config || pinned.has(name) || required || entry.value.errors.length || (importance === 'HIGH' && !foreign)) open.push(entry)
    else advanced.set(group ?? 'Other', [...(advanced.get(group ?? 'Other') ?? []), entry])
  }
  open.sort(byOrder)
  return { open, advanced: [...advanced].map(([group, list]) => [group, list.sort(byOrder)]) }
}

export interface Preset {
  id: string
  title: string
  /** Values, below the prefix of the side. */
  set: Record<string, string>
  /** Fields that are filled in by hand. */
  ask: string[]
}

const TRUST = ['ssl.truststore.location', 'ssl.truststore.type']
const KEYS = ['ssl.keystore.location', 'ssl.keystore.type', 'ssl.keystore.password', 'ssl.key.password']

function sasl(id: string, title: string, protocol: string, mechanism: string, more: string[] = []): Preset {
  return { id, title, set: { 'security.protocol': protocol, 'sasl.mechanism': mechanism }, ask: ['sasl.jaas.config', ...more, ...(protocol === 'SASL_SSL' ? TRUST : [])] }
}

/** Ways to protect a connection; each only sets keys. */
export const PRESETS: Preset[] = [
  { id: 'plaintext', title: 'None (PLAINTEXT)', set: { 'security.protocol': 'PLAINTEXT' }, ask: [] },
  { id: 'tls', title: 'TLS', set: { 'security.protocol': 'SSL' }, ask: TRUST },
  { id: 'mtls', title: 'Mutual TLS', set: { 'security.protocol': 'SSL' }, ask: [...TRUST, ...KEYS] },
  sasl('plain', 'SASL PLAIN over TLS', 'SASL_SSL', 'PLAIN'),
  sasl('scram256', 'SASL SCRAM-SHA-256 over TLS', 'SASL_SSL', 'SCRAM-SHA-256'),
  sasl('scram512', 'SASL SCRAM-SHA-512 over TLS', 'SASL_SSL', 'SCRAM-SHA-512'),
  sasl('oauth', 'SASL OAUTHBEARER over TLS', 'SASL_SSL', 'OAUTHBEARER', ['sasl.oauthbearer.token.endpoint.url']),
  sasl('gssapi', 'SASL GSSAPI (Kerberos) over TLS', 'SASL_SSL', 'GSSAPI', ['sasl.kerberos.service.name']),
]

export function find(entries: ConfigEntry[], text: string): ConfigEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return []
  return entries
    .filter(({ definition, value }) => value.visible && !ELSEWHERE.has(definition.name) && words.every((word) => `${definition.name} ${definition.display_name} ${definition.documentation}`.toLowerCase().includes(word)))
    .slice(0, 40)
}

/** What a preview warns of, one text for each topic with its warnings, in an order that is always the same. */
export function warningsOf(rows: Pick<PreviewRow, 'topic' | 'warnings'>[]): string[] {
  return rows
    .map(({ topic, warnings }) => [topic, ...(warnings ?? []).filter((warning) => !warning.error).map((warning) => `${warning.id}: ${warning.text}`).sort()])
    .filter((row) => row.length > 1)
    .map((row) => row.join('\n'))
    .sort()
}
